"""The built site in a real browser: served once from this machine, and cut off from every other one."""

import functools
import http.server
import json
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright
from where import BELOW, DESK, HTML, NONE, ROOT, found_browser

# No other host has an address; so a page comes as it comes to a reader, without a question to Python at every file.
ONLY_HERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
# Tests of what, the longest first.
LONGEST = ["axe", "predict", "weight", "pdf", "pages", "sweep_explorer", "decays", "figures", "jupyterlab"]


def pytest_collection_modifyitems(items):
    """The files that take long begin, so that no process waits for another at the end."""
    places = {f"test_{name}.py": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope="session", autouse=True)
def finished_book():
    stamp = ROOT / "_build" / "stamp.json"
    if not stamp.is_file() or "site" not in json.loads(stamp.read_text()):
        pytest.fail("There is no finished book in _build/html to look at: run `make book` first.")


@pytest.fixture(scope="session")
def chromium():
    path = found_browser()
    if path is None:
        pytest.fail(NONE)
    with sync_playwright() as playwright:
        # Playwright starts it without a sandbox, which root needs; it opens our own pages only.
        browser = playwright.chromium.launch(executable_path=path, args=[ONLY_HERE])
        yield browser
        browser.close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """As GitHub shows a site: below the project's name too, and with its own page where there is none."""

    def translate_path(self, path):
        return super().translate_path(path.removeprefix(BELOW))

    def send_error(self, code, *words):
        lost = Path(self.directory) / "404.html"
        if code != 404 or not lost.is_file():
            return super().send_error(code, *words)
        self.send_response(code)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(lost.read_bytes())

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, address):
        """A browser that leaves a page hangs up on what it had asked for; that is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, address)


def serve(folder):
    handler = functools.partial(Quiet, directory=str(folder))
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="session")
def site(finished_book):
    """The address of the built site, without a slash at its end."""
    server = serve(HTML)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="session")
def new_page(chromium, site):
    """``new_page(name, …)``: as ``visit`` below, for a wider scope; whoever asks for it closes ``page.context``.

    A script that is named ``before`` runs before those of the page; ``page.asked`` holds every address.
    """

    def new_page(name, size=DESK, dark=False, before="", **options):
        options = {"viewport": size, "color_scheme": "dark" if dark else "light"} | options
        context = chromium.new_context(**options)
        page = context.new_page()
        if before:
            page.add_init_script(before)
        page.messages, page.foreign, page.asked = [], [], []

        def note(request):
            page.asked.append(request.url)
            if urlsplit(request.url).hostname not in ("127.0.0.1", None):
                page.foreign.append(request.url)

        context.on("request", note)
        said = lambda message: message.type == "log" or page.messages.append(f"{message.type}: {message.text}")  # noqa: E731
        page.on("console", said)
        page.on("pageerror", lambda error: page.messages.append(f"error: {error}"))
        page.goto(f"{site}/{name}.html" if "." not in name else f"{site}/{name}")
        return page

    return new_page


@pytest.fixture
def visit(new_page):
    """``visit("chapters/05-decay", size=PHONE, dark=True)``: a page that has come to rest.

    Whatever asks for another host is refused. ``page.messages`` are the console's, ``page.foreign`` the addresses that
    were refused; a test that does not expect any asserts that both are empty.
    """
    pages = []

    def visit(*where, **how):
        pages.append(new_page(*where, **how))
        return pages[-1]

    yield visit
    for page in pages:
        page.context.close()


@pytest.fixture
def live(visit):
    """``live("chapters/05-decay", "decays", size=PHONE)``: a page, and its one live figure of this kind."""

    def live(name, kind, **options):
        page = visit(name, **options)
        figure = page.locator(f'lr-figure[kind="{kind}"][data-live]')
        figure.scroll_into_view_if_needed()
        return page, figure

    return live
