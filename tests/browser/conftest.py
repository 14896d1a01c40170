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
from walk import SHIFTS, walk
from where import BELOW, DESK, EVERY, FLAGS, HTML, NONE, PHONE, ROOT, found_browser
from xdist.scheduler import LoadScopeScheduling

# No other host has an address; so a page comes as it comes to a reader, without a question to Python at every file.
ONLY_HERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
# No page lives long enough for what the compiler of hot code costs: a visit takes a twentieth less without it.
BRIEF = "--js-flags=--no-turbofan"
# Tests of what, the longest first; pages come after them, the longest first.
LONGEST = ["pdf", "decays", "jupyterlab", "sweep_explorer", "bowl", "figures"]


def pytest_collection_modifyitems(items):
    """What is long begins, so that no process waits for another at the end; what one page is asked is one row."""

    def place(item):
        page = item.callspec.params.get("seen") if hasattr(item, "callspec") else None
        if page:
            file = HTML / f"{page}.html"
            return len(LONGEST), -file.stat().st_size if file.is_file() else 0, page
        name = item.path.stem.removeprefix("test_")
        return LONGEST.index(name) if name in LONGEST else len(LONGEST) + 1, 0, name

    items.sort(key=place)


class PageByPage(LoadScopeScheduling):
    """A page is visited by one process, which does all that is asked of it; so it is with the other tests of a file."""

    def _split_scope(self, nodeid):
        file, _, asked = nodeid.partition("::")
        page = asked.partition("[")[2].removesuffix("]")
        return page if page in EVERY else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return PageByPage(config, log)


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
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, ONLY_HERE, BRIEF])
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


@pytest.fixture(scope="session")
def seen(request, new_page):
    """What there is to be seen on a page, which is asked for as the test's parameter; ``seen.page`` is still open."""
    page = new_page(request.param, size=PHONE, before=SHIFTS)
    yield walk(page)
    page.context.close()


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
