"""What axe-core finds against WCAG 2.2 (A and AA) and its own best practices."""

from pathlib import Path

import axe_playwright_python

SCRIPT = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async ([within, rules, preload]) => {
  const options = { runOnly: rules, resultTypes: ["violations"], preload };
  const { violations } = await axe.run(within ?? document, options);
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
}"""


def violations(page, within=None, rules=RULES, preload=True):
    """One line for each broken rule, on the page or within a selector or axe's own context.

    ``preload=False`` keeps axe from fetching the page's style sheets again.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(SCRIPT)
    return page.evaluate(RUN, [within, rules, preload])
