"""One style sheet instead of ten, with the rules that these pages can use, and fonts with the glyphs that they show.

The theme's sheets bring every icon and every component that a site could have. What is kept here is what some page or
some script names; tests/browser/test_weight.py asks in a browser whether a rule is missing.
"""

import hashlib
import html
import io
import posixpath
import re

import tinycss2
from fontTools import subset

SHEET = re.compile(r'[ \t]*<link [^>]*href="((?:\.\./)*)_static/([^"?]+\.css)(?:\?[^"]*)?"[^>]*>\n?')
SITE = "site.css"
HELD = re.compile(r'<link [^>]*data-held="([^"]*)"')
NAMES = re.compile(r'\b(?:class|id)\s*=\s*"([^"]*)"')
WORD = re.compile(r"[\w-]+")
NESTED = ("media", "supports", "layer", "container")


class Names:
    """The names of classes and ids that pages and scripts know; ``bs-`` in a script stands for all that begin so."""

    def __init__(self, pages, scripts):
        self.known = set()
        for page in pages:
            for names in NAMES.findall(page):
                self.known.update(html.unescape(names).split())
        words = {word for script in scripts for word in WORD.findall(script)}
        self.known |= words
        self.beginnings = tuple(word for word in words if re.fullmatch(r"[a-z]\w*-", word))

    def __contains__(self, name):
        return name in self.known or name.startswith(self.beginnings)


def selectors(prelude):
    """The selectors between the commas, as lists of tokens."""
    found = [[]]
    for token in prelude:
        if token == ",":
            found.append([])
        else:
            found[-1].append(token)
    return found


def needed(selector):
    """The classes and ids without which it cannot match; what stands in brackets is left aside."""
    for before, token in zip([None, *selector], selector, strict=False):
        if token.type == "hash" or token.type == "ident" and before == ".":
            yield token.value


def used_rules(rules, names):
    """The style sheet of those rules whose classes and ids are known."""
    kept = []
    for rule in rules:
        if rule.type == "qualified-rule":
            alive = [one for one in selectors(rule.prelude) if all(name in names for name in needed(one))]
            if alive:
                heads = ",".join(tinycss2.serialize(one).strip() for one in alive)
                inside = (token for token in rule.content if token.type != "comment")
                kept.append(f"{heads}{{{tinycss2.serialize(inside).strip()}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword in NESTED and rule.content is not None:
            inside = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            if inner := used_rules(inside, names):
                kept.append(f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{inner}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword != "charset":
            kept.append(rule.serialize())
    return "\n".join(kept)


def read(static, sheet):
    """A style sheet with those that it imports; its addresses are seen from the folder _static."""
    text, folder = (static / sheet).read_text(encoding="utf8"), posixpath.dirname(sheet)
    where = lambda address: posixpath.normpath(posixpath.join(folder, address))  # noqa: E731
    address = lambda match: match[0] if match[2].startswith(("data:", "#")) else f"url({where(match[2])})"  # noqa: E731
    text = re.sub(r"""url\((['"]?)([^'")]+)\1\)""", address, text)
    return re.sub(r"""@import\s+['"]([^'"]+)['"];?""", lambda match: read(static, where(match[1])), text)


def shown_in_formulas(page):
    """The characters of the formulas, which stand in spans in spans: ({the names of what varies}, {all others})."""
    names, others, inside = set(), set(), ""
    for part in page.split('<span class="katex-html"')[1:]:
        depth = 1
        for piece in re.finditer(r'<(/?)span(?: class="([^"]*)")?|>([^<]+)', part):
            if piece[3]:
                (names if "mathnormal" in inside.split() else others).update(html.unescape(piece[3]))
            else:
                inside = piece[2] or ""
                depth += -1 if piece[1] else 1
                if depth == 0:
                    break
    return names, others


def cut(font, characters):
    """The font with these characters alone, as WOFF2; None if it has none of them."""
    options = subset.Options(flavor="woff2", layout_features=["*"], hinting=False, ignore_missing_unicodes=True)
    font = subset.load_font(font, options)
    wanted = set(map(ord, characters)) & set(font.getBestCmap())
    if not wanted:
        return None
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=wanted)
    subsetter.subset(font)
    result = io.BytesIO()
    subset.save_font(font, result, options)
    return result.getvalue()


def light_fonts(sheet, static, icons, letters):
    """The style sheet with addresses of fonts that are cut; a font without a rule or a glyph goes."""
    faces = re.compile(r"@font-face\s*\{([^}]*)\}\s*")
    rest = faces.sub("", sheet).replace("\\", "")
    (static / "fonts").mkdir(exist_ok=True)

    def face(match):
        (family,) = re.findall(r"font-family:\s*[\"']?([^;\"'}]+)", match[1])
        source = re.search(r"url\(([^)]+\.woff2)\)", match[1])
        if source is None or family.replace("\\", "").strip() not in rest:
            return ""
        file = static / source[1]
        shown = icons
        if "katex" in source[1]:
            names, others = letters
            shown = names if "Math" in family else others
        content = file.read_bytes()
        name = hashlib.sha256(content + "".join(sorted(shown)).encode()).hexdigest()[:8]
        target = static / "fonts" / f"{file.stem}-{name}.woff2"
        if not target.is_file():
            small = cut(io.BytesIO(content), shown)
            if small is None:
                return ""
            target.write_bytes(small)
        return "@font-face{" + re.sub(r"src:[^;}]*", f'src:url(fonts/{target.name}) format("woff2")', match[1]) + "}\n"

    return faces.sub(face, sheet)


def sheets(page):
    """The style sheets that a page was written with; one that an earlier build has linked to ours remembers them."""
    held = HELD.search(page)
    return held[1].split() if held else [sheet for _, sheet in SHEET.findall(page)]


def one_sheet(pages, scripts, static):
    """Write the style sheet; return the pages that load it instead of the others."""
    found = dict.fromkeys(sheet for page in pages for sheet in sheets(page))
    site = static / SITE
    if any(sheets(page) and not HELD.search(page) for page in pages):  # a page is new
        text = "\n".join(read(static, sheet) for sheet in found)
        rules = tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
        text = used_rules(rules, Names(pages, scripts))
        icons = {chr(int(code, 16)) for code in re.findall(r"\\([0-9a-fA-F]{2,6})", text)}
        icons.update(letter for part in (text, *pages) for letter in re.findall("[\ue000-\uf8ff]", part))
        letters = [set().union(*found) for found in zip(*map(shown_in_formulas, pages), strict=True)]
        site.write_text(light_fonts(text, static, icons, letters), encoding="utf8")
    version = hashlib.sha256(site.read_bytes()).hexdigest()[:8]

    def link(page):
        root = SHEET.search(page)
        if root is None:
            return page
        mark = "\0"
        held = " ".join(sheets(page))
        page = SHEET.sub(mark, page, count=1)
        page = SHEET.sub("", page)
        ours = f'  <link rel="stylesheet" href="{root[1]}_static/{SITE}?v={version}" data-held="{held}">\n'
        return page.replace(mark, ours)

    return [link(page) for page in pages]
