"""Lighthouse's marks for a phone: the median of three, of the first page and of the heaviest chapter.

Needs Node, for this alone; npm keeps Lighthouse in _build/node. The pages are served as GitHub serves them, compressed.
What else runs on the machine lowers the marks for speed, so the load is printed beside them.
"""

import functools
import gzip
import http.server
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
from pathlib import Path

from chromium import NONE, found_browser

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
NODE = ROOT / "_build" / "node"
LIGHTHOUSE = "lighthouse@13.5.0"
RUNS = 3
GOALS = {"accessibility": 100, "best-practices": 100, "seo": 100}
SPEED = {"index": 95}  # of the other: 90
TEXT = {".html", ".css", ".js", ".svg", ".json", ".xml", ".txt"}
MEASURES = ["first-contentful-paint", "largest-contentful-paint", "total-blocking-time", "cumulative-layout-shift"]


class Compressed(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, its texts compressed, for a browser to keep as long as GitHub says: ten minutes."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            return self.send_error(404)
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Cache-Control", "max-age=600")
        if path.suffix in TEXT:
            content = gzip.compress(content, mtime=0)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def serve():
    handler = functools.partial(Compressed, directory=str(HTML))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def measure(address, browser):
    """One report of Lighthouse, with its own settings for a phone."""
    command = ["npx", "--yes", f"--package={LIGHTHOUSE}", "lighthouse", address, "--quiet", "--output=json"]
    command += ["--chrome-flags=--headless=new --no-sandbox"]  # root cannot have a sandbox; the pages are our own
    environment = os.environ | {
        "CHROME_PATH": browser,
        "npm_config_cache": str(NODE),
        "npm_config_update_notifier": "false",
    }
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"Lighthouse did not run:\n{run.stderr[-2000:]}")
    return json.loads(run.stdout)


def short(report):
    """What has no full mark, other than the speed."""
    weights = {ref["id"]: ref["weight"] for name in GOALS for ref in report["categories"][name]["auditRefs"]}
    audits = report["audits"]
    return [name for name, weight in weights.items() if weight and audits[name]["score"] not in (None, 1)]


def main():
    if not shutil.which("npx"):
        sys.exit("make lighthouse needs Node (https://nodejs.org), which brings npx.")
    browser = found_browser()
    if not browser:
        sys.exit(NONE)
    heaviest = max((HTML / "chapters").glob("*.html"), key=lambda page: page.stat().st_size)
    site, bad = serve(), []
    for page in ("index", f"chapters/{heaviest.stem}"):
        reports = [measure(f"{site}/{page}.html", browser) for _ in range(RUNS)]
        marks = {
            name: statistics.median(round(100 * report["categories"][name]["score"]) for report in reports)
            for name in ("performance", *GOALS)
        }
        numbers = [reports[0]["audits"][name]["displayValue"].replace("\u00a0", " ") for name in MEASURES]
        weight = sum(
            item.get("transferSize", 0) for item in reports[0]["audits"]["network-requests"]["details"]["items"]
        )
        print(f"{page}: " + ", ".join(f"{name} {mark:.0f}" for name, mark in marks.items()))
        print(f"  FCP, LCP, TBT, CLS {' · '.join(numbers)}; {weight / 1024:.0f} KiB; load {os.getloadavg()[0]:.1f}")
        goals = GOALS | {"performance": SPEED.get(page, 90)}
        bad += [f"{page}: {name} {marks[name]:.0f}, not {goal}" for name, goal in goals.items() if marks[name] < goal]
        bad += [f"{page}: {name}" for name in short(reports[0])]
    if bad:
        sys.exit("\n".join(bad))


if __name__ == "__main__":
    main()
