"""Build the book into _build/html; any warning, failed cell or missing page fails the build.

Two things could put old results on a page, and both are ruled out here:
- jupyter-cache looks at a notebook alone, so when anything else that a notebook can read changes
  (lrlib, the pins, Python, data), all of _build goes, its cache included;
- Sphinx warns about a page only when it reads it, so it goes on from what it read before only where
  that was the end of a good build by this program. The executed notebooks stay in the cache.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
STAMP = BUILD / "stamp.json"
EXECUTION = ["requirements.txt", "lrlib/**/*", "chapters/**/*", "tests/data/**/*"]
SITE = ["_config.yml", "_toc.yml", "_ext/**/*", "_static/**/*", "*.bib", "*.yml", "trials/*.json", "tools/*.json"]
# As `jupyter-book`, but looking less often for garbage, of which there is little among the pages: a fifth of the time.
PROGRAM = "import gc; gc.set_threshold(50_000, 20); from jupyter_book.cli.main import main; main()"
OPTIONS = ["-W", "--keep-going", "-n"]  # warnings are errors; show all; broken references too


def digest(patterns):
    """One number for the content of all these files (notebooks, which the cache watches, left out)."""
    files = {file for pattern in patterns for file in ROOT.glob(pattern) if file.is_file()}
    found = hashlib.sha256(sys.version.encode())
    for file in sorted(files):
        if file.suffix != ".ipynb" and "__pycache__" not in file.parts:
            found.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return found.hexdigest()


def site():
    """What the pages depend on besides their own text, and which build has last read them."""
    read = BUILD / ".doctrees" / "environment.pickle"
    return [digest(SITE), read.stat().st_mtime_ns if read.is_file() else None]


def remove_site():
    for folder in ("html", ".doctrees"):
        shutil.rmtree(BUILD / folder, ignore_errors=True)


def pages():
    """The pages that the table of contents names."""
    return sorted(parse_toc_yaml(ROOT / "_toc.yml"))


def main():
    start = time.perf_counter()
    stamp = json.loads(STAMP.read_text()) if STAMP.is_file() else {}
    execution = digest(EXECUTION)
    if stamp.get("execution") != execution:
        shutil.rmtree(BUILD, ignore_errors=True)
    elif stamp.get("site") != site():  # "site" is written at the end of a good build
        remove_site()
    BUILD.mkdir(exist_ok=True)
    STAMP.write_text(json.dumps({"execution": execution}))

    command = [sys.executable, "-c", PROGRAM, "build", *OPTIONS, *sys.argv[1:], str(ROOT)]
    # `python3` is to be this environment's kernel, also where the reader has one of that name. Figures that the
    # notebooks store as PNG are drawings on the site: a third of the bytes, and sharp at any size.
    environment = os.environ | {"JUPYTER_PREFER_ENV_PATH": "1", "LRLIB_FIGURES": "svg"}
    failed = subprocess.run(command, check=False, env=environment).returncode
    missing = [page for page in pages() if not (BUILD / "html" / f"{page}.html").is_file()]
    if failed or missing:
        remove_site()
        sys.exit("\n".join(["The book was not built.", *(f"No page: {page}" for page in missing)]))
    STAMP.write_text(json.dumps({"execution": execution, "site": site()}))
    print(f"Built in {time.perf_counter() - start:.0f} s: {(BUILD / 'html' / 'index.html').as_uri()}")


if __name__ == "__main__":
    main()
