"""One visit of a page, on which everything is looked at that the tests ask of every page; they ask what was seen.

A page is opened on a phone, in an empty browser, and read to its end; then it is looked at on a desk, on paper, on
small phones and by axe, in this order, as axe leaves text where formulas were.
"""

from types import SimpleNamespace

from axe import OF_COLOURS, RULES, violations
from where import DESK, PHONE

PAPER = {"width": 672, "height": 1000}  # A4 between the margins, in CSS pixels
# Runs before the scripts of the page.
SHIFTS = """
  window.jumped = 0;
  const add = (entries) => entries.forEach(({ value }) => (window.jumped += value));
  window.observer = new PerformanceObserver((list) => add(list.getEntries()));
  window.observer.observe({ type: "layout-shift" });
  window.jumps = async () => {  // of all frames that were drawn
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
    add(window.observer.takeRecords());
    return window.jumped;
  };
"""
TO_THE_END = """async () => {
  for (let y = 0; y < document.body.scrollHeight; y += 2000) {
    scrollTo(0, y);
    await new Promise(requestAnimationFrame);  // a picture is asked for when a frame is drawn and it is not far
  }
}"""
SHOWN = """[...document.images].filter((image) => image.getClientRects().length)
  .map((image) => image.currentSrc || image.src).filter((address) => address.startsWith("http"))"""
PICTURES = """() => [...document.querySelectorAll("article img")].map((image) => [
  image.loading, image.hasAttribute("width") && image.hasAttribute("height"),
  image.getBoundingClientRect().top + scrollY, image.currentSrc || image.src,
])"""
WAITING = "[...document.querySelectorAll('script[src]')].map((script) => script.defer || script.async)"
# A window that has changed is at rest: the page has heard of it, and a tenth of a second later, as it does itself,
# has given the regions that scroll their stop for the keyboard.
REST = """async () => {
  for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
  await new Promise((done) => setTimeout(done, 101));
}"""
TYPED = "all => all.map(e => [e.outerHTML.slice(0, 80), parseFloat(getComputedStyle(e).fontSize)])"
LIVE = "[...document.querySelectorAll('lr-figure')].map((figure) => figure.dataset.live !== undefined)"
LINKS = "[...document.querySelectorAll('a[href]')].map(a => a.href)"
IDS = "[...document.querySelectorAll('[id], a[name]')].map(e => e.id || e.name)"
BROKEN = """async () => {
  const images = [...document.images].filter(image => image.getClientRects().length);
  images.forEach(image => image.loading = "eager");
  await Promise.all(images.map(image => image.decode().catch(() => null)));
  return images.filter(image => !image.naturalWidth).map(image => image.src.slice(0, 200));
}"""
SWITCH = ".theme-switch-button:visible"
THEME = "document.documentElement.dataset.theme"
# What reaches beyond the screen, and in the text what is cut or scrolls.
WIDE = """() => {
  const width = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > width) {
    const out = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > width + 1);
    found.push(`the page: ${document.documentElement.scrollWidth}`);
    found.push(...out.slice(0, 3).map((e) => e.outerHTML.slice(0, 120)));
  }
  const cuts = (node) => /auto|scroll|hidden|clip/.test(getComputedStyle(node).overflowX);
  const scrolls = (node) => node && (cuts(node) || scrolls(node.parentElement));
  for (const node of document.querySelectorAll("article *")) {
    const box = node.getBoundingClientRect();
    const name = () => `${node.tagName}.${node.className} ${node.textContent.slice(0, 40)}`;
    if (box.width && box.right > width + 1 && !scrolls(node.parentElement)) found.push(name());
    if (node.matches("pre, figure") && node.scrollWidth > node.clientWidth + 1) found.push(`scrolls: ${name()}`);
  }
  return found;
}"""
OPEN = "document.querySelectorAll('article details').forEach((fold) => (fold.open = true))"
SIZES = """(nodes) => nodes.map((node) => {
  const { width, height } = node.getBoundingClientRect();
  return [Math.round(width), Math.round(height), getComputedStyle(node).opacity];
})"""
CLOSED = "document.querySelectorAll('article details:not([open])').length"
CUT = """() => [...document.querySelectorAll("article :is(pre, table, figure, img, .sd-card, .admonition)")]
  .filter((node) => node.scrollWidth > node.clientWidth + 1 && node.tagName !== "IMG" && node.clientWidth
                    || node.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((node) => `${node.tagName}: ${node.textContent.trim().slice(0, 60)}`)"""
HIDDEN = """() => [...document.querySelectorAll("article details")]
  .filter((fold) => ![...fold.children].slice(1).some((child) =>
    child.checkVisibility({ opacityProperty: true }) && child.getBoundingClientRect().height > 5))
  .map((fold) => fold.textContent.trim().slice(0, 60))"""
EMPTY = """() => [...document.querySelectorAll("article :is(div, pre, p, td)")].filter((node) => {
  const style = getComputedStyle(node), box = node.getBoundingClientRect();
  const drawn = !["rgba(0, 0, 0, 0)", "transparent", "rgb(255, 255, 255)"].includes(style.backgroundColor);
  return drawn && box.height > 4 && !node.innerText.trim() && !node.querySelector("img, svg, canvas, input");
}).map((node) => node.className)"""
MENUS = (
    ".bd-header-article, .bd-sidebar-primary, .bd-sidebar-secondary, .prev-next-footer, button.copybtn, a.headerlink, "
    "#jb-print-docs-body"
)
INK = "(nodes) => nodes.slice(0, 1).map((node) => getComputedStyle(node).color)"
STILL = "*, ::before, ::after { transition: none !important; animation: none !important; }"


def screen(page, size, phone=False):
    """Show a page on another screen; that of a phone obeys what the page says of its width."""
    if not hasattr(page, "devices"):  # what a session has set ends with it
        page.devices = page.context.new_cdp_session(page)
    page.devices.send("Emulation.setDeviceMetricsOverride", {**size, "deviceScaleFactor": 1, "mobile": phone})
    page.evaluate(REST)


def walk(page):
    seen = SimpleNamespace(page=page, address=page.url, messages=page.messages, foreign=page.foreign)
    as_it_comes(page, seen)
    on_a_desk(page, seen)
    on_paper(page, seen)
    on_phones(page, seen)
    by_axe(page, seen)
    by_the_switch(page, seen)
    return seen


def as_it_comes(page, seen):
    page.wait_for_load_state("networkidle")
    seen.opened = set(page.asked)
    seen.pictures, seen.waiting = page.evaluate(PICTURES), page.evaluate(WAITING)
    page.evaluate(TO_THE_END)
    page.wait_for_timeout(300)  # what comes late may move what is there
    seen.whole, seen.jumped = set(page.asked), page.evaluate("jumps()")
    seen.never_asked = [address for address in page.evaluate(SHOWN) if address not in seen.whole]
    page.evaluate("scrollTo(0, 0)")  # or the button that leads back to the top lies over links


def on_a_desk(page, seen):
    screen(page, DESK)
    seen.links, seen.ids, seen.live = page.evaluate(LINKS), set(page.evaluate(IDS)), page.evaluate(LIVE)
    seen.titles = page.locator("main h1:visible").count()
    seen.broken = page.evaluate(BROKEN)
    seen.text = page.locator("main").inner_text()
    seen.wide = {DESK["width"]: page.evaluate(WIDE)}


def on_paper(page, seen):
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"{THEME} === 'dark'")
    screen(page, PAPER)
    closed = page.evaluate(CLOSED)
    page.emulate_media(media="print")
    page.wait_for_function(f"{CLOSED} === 0 && {THEME} === 'light'")
    seen.paper = SimpleNamespace(cut=page.evaluate(CUT), hidden=page.evaluate(HIDDEN), empty=page.evaluate(EMPTY))
    seen.paper.menus = page.locator(MENUS).evaluate_all("(nodes) => nodes.filter((n) => n.checkVisibility()).length")
    seen.paper.title = page.locator("article h1").first.is_visible()
    seen.paper.ink = page.locator("article p").evaluate_all(INK)
    page.emulate_media(media="screen")
    page.wait_for_function(f"{CLOSED} === {closed} && {THEME} === 'dark'")
    page.emulate_media(color_scheme="light")


def on_phones(page, seen):
    page.evaluate(OPEN)
    for size in ({"width": 320, "height": 700}, {"width": 360, "height": 700}, PHONE):
        screen(page, size, phone=True)
        seen.wide[size["width"]] = page.evaluate(WIDE)
    seen.outputs_with_buttons = page.locator("div.cell_output button.copybtn").count()
    seen.inputs = page.locator("div.cell_input pre").count()
    seen.buttons = page.locator("div.cell_input button.copybtn").evaluate_all(SIZES)
    seen.folds = page.locator("article summary").evaluate_all(SIZES)
    seen.typed = page.locator("article :is(input[type=text], select)").evaluate_all(TYPED)


def by_axe(page, seen):
    """On the phone, as it is, and on a desk. The theme changes colours alone: for them axe is asked in the dark too."""
    page.add_style_tag(content=STILL)
    seen.axe = {}
    for size in (PHONE, DESK):
        if size is DESK:
            screen(page, DESK)
        for theme, rules in {"light": RULES, "dark": OF_COLOURS}.items():
            page.evaluate(f"(theme) => ({THEME} = theme)", theme)
            seen.axe[size["width"], theme] = violations(page, rules=rules)


def by_the_switch(page, seen):
    """Three clicks bring back the theme in which the page came."""
    seen.themes = []
    for _ in range(3):
        page.locator(SWITCH).first.click()
        seen.themes.append(page.evaluate(THEME))
    page.mouse.move(0, 0)  # or the name of the switch lies over its neighbours
    page.evaluate("document.activeElement.blur()")
