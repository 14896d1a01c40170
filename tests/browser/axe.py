"""What axe-core finds against WCAG 2.2 (A and AA) and its own best practices."""

from pathlib import Path

import axe_playwright_python

SCRIPT = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OF_COLOURS = ["color-contrast", "link-in-text-block"]  # those of them whose answer another theme may change
# Thousands of coloured words and of boxes in formulas are alike, and axe would look at each: one of a kind stays.
THIN = """() => {
  const seen = new Set(), words = "article :is(pre span, dt :is(span, em), code span, math *)";
  for (const word of document.querySelectorAll(words)) {
    const name = `${word.tagName}.${word.className}`;
    if (seen.has(name)) word.replaceWith(...word.childNodes);
    else seen.add(name);
  }
  // one formula in a line, and one on lines of its own; another of these keeps its room, as its text would be too wide
  const formulas = [...document.querySelectorAll(".katex-html")], alone = (formula) => formula.closest("div.math");
  const kept = [formulas.find(alone), formulas.find((formula) => !alone(formula))];
  const room = new Map(formulas.filter(alone).map((formula) => [formula, formula.getBoundingClientRect()]));
  for (const formula of formulas.filter((formula) => !kept.includes(formula))) {
    formula.textContent = alone(formula) ? "" : formula.textContent;
    if (!alone(formula)) continue;
    const { width, height } = room.get(formula);
    formula.style = `display: inline-block; width: ${width}px; height: ${height}px`;
  }
}"""
# Most of axe's time goes into contrasts, text after text. Texts are of one kind where they and their parents have the
# same names, and they and all that is painted around them the same style; the first of a kind is measured, once for all
# pages. So are all fields, and all texts that share their place with a box that is not around them, at every time.
KINDS = """([within, measured]) => {
  const UNREAD = "[aria-hidden=true], [aria-disabled=true], [inert], :disabled";
  const seen = new Set(measured), around = new WeakMap();
  const kind = (...parts) => {  // a number for what a kind is made of: its letters as digits, modulo a prime below 2^40
    let number = 0;
    for (const letter of parts.join("|")) number = (number * 131 + letter.codePointAt(0)) % 1099511627689;
    return number;
  };
  const none = "rgba(0, 0, 0, 0)";
  const painted = [];
  const place = (node) => {  // what is painted around a node, and by the node itself
    if (!node) return 0;
    if (around.has(node)) return around.get(node);
    const style = getComputedStyle(node);
    const own = [style.backgroundColor, style.backgroundImage, style.opacity, style.filter, style.mixBlendMode,
                 style.overflow, style.clip, style.clipPath, style.visibility, style.transform].join();
    const plain = own === `${none},none,1,none,normal,visible,auto,none,visible,none`;
    const found = plain ? place(node.parentElement) : kind(place(node.parentElement), own);
    const ground = style.backgroundColor !== none || style.backgroundImage !== "none";
    if (ground && node.checkVisibility({ opacityProperty: true })) painted.push(node);
    around.set(node, found);
    return found;
  };
  const nodes = [...document.querySelectorAll("body, body *")].filter((node) => node.checkVisibility());
  nodes.forEach(place);
  const stripes = new Map(), stripe = (y) => Math.floor(y / 200);  // of the page's height: who is near whom
  for (const node of painted) {
    const box = node.getBoundingClientRect();
    for (let i = stripe(box.top); i <= stripe(box.bottom); i++) {
      if (!stripes.has(i)) stripes.set(i, []);
      stripes.get(i).push([node, box]);
    }
  }
  const covers = (node, box) => ([other, { left, right, top, bottom }]) =>
    left < box.right && right > box.left && top < box.bottom && bottom > box.top
    && !other.contains(node) && !node.contains(other);
  const covered = (node, box) => {
    for (let i = stripe(box.top); i <= stripe(box.bottom); i++) {
      if (stripes.get(i)?.some(covers(node, box))) return true;
    }
    return false;
  };
  const name = (node) => `${node.tagName}.${node.getAttribute("class")}`;
  for (const node of nodes) {
    if (within && !node.closest(within)) continue;
    const field = node.matches("input, select, textarea, option, label");
    const said = [...node.childNodes].filter((child) => child.nodeType === 3).map((child) => child.data).join("");
    if (!field && !said.trim()) continue;
    const style = getComputedStyle(node), box = node.getBoundingClientRect();
    // what axe passes over, a sign alone or what nobody is told, is a kind of its own
    const text = kind(place(node), name(node), name(node.parentElement), style.color, style.fill, style.fontSize,
                      style.fontWeight, style.textShadow, style.position, box.width > 1 && box.height > 1,
                      /[\\p{L}\\p{N}]{2}/u.test(said), !node.closest(UNREAD));
    const over = covered(node, box);
    if (field || over || !seen.has(text)) node.setAttribute("data-one-of-a-kind", "");
    if (!over) seen.add(text);
  }
  return [...seen];
}"""
RUN = """async ([within, rules]) => {
  axe.configure({ rules: [{ id: "color-contrast", selector: "[data-one-of-a-kind]" }] });
  const options = { runOnly: rules, resultTypes: ["violations"], preload: { assets: ["media"] } };
  const { violations } = await axe.run(within ?? document, options);
  document.querySelectorAll("[data-one-of-a-kind]").forEach((node) => node.removeAttribute("data-one-of-a-kind"));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
}"""
MEASURED = set()  # the kinds of text whose contrast was found to be enough


def violations(page, within=None, rules=RULES):
    """One line for each broken rule, on the page or within what a selector finds.

    Style sheets are not read again, as no rule asks for them. Afterwards the page's formulas are text: ask before how
    wide it is.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(SCRIPT)
        page.evaluate(THIN)
    kinds = page.evaluate(KINDS, [within, [*MEASURED]])
    found = page.evaluate(RUN, [within, rules])
    asked = {"wcag2aa", "color-contrast"} & {*rules}
    if asked and not any(line.startswith("color-contrast") for line in found):
        MEASURED.update(kinds)
    return found
