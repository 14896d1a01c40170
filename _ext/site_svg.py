"""A drawing of matplotlib in few bytes, with nothing lost that an eye could see.

Positions are rounded to a tenth of a point, the shapes of markers to a hundredth, those of letters to a fortieth. What
remains is written from one point to the next, which takes fewer digits. Another picture stays what it is.
"""

import re

FINE, COARSE, LETTER = 100, 10, 1 / 16  # steps in a unit; a letter is drawn in 64 units a point of its size
TAG = re.compile(r"<(/?)(\w+)([^>]*?)(/?)>")
PART = re.compile(r"([MLQCz])([^MLQCz]*)")


def number(steps, in_unit):
    text = f"{steps / in_unit:.2f}".rstrip("0").rstrip(".")
    return re.sub(r"^(-?)0\.", r"\1.", text)


def line(numbers):
    """Numbers with a blank where two of them would run together."""
    return re.sub(r" (?=-)", "", " ".join(numbers))


def path(way, scale, in_unit):
    """The same way in steps that begin where the last one ended; ``scale`` is applied before the rounding."""
    found, here, start, last = [], (0, 0), (0, 0), ""
    for letter, rest in PART.findall(way):
        if letter == "z":
            found.append("z")
            here, last = start, "z"
            continue
        points = [round(float(text) * scale) for text in rest.split()]
        points = list(zip(points[::2], points[1::2], strict=True))
        steps = [(x - here[0], y - here[1]) for x, y in points]
        here = points[-1]
        if letter == "M":
            start = here
        command = letter.lower()
        flat = [number(value, in_unit) for step in steps for value in step]
        if letter == "L" and 0 in steps[0]:
            command = "h" if steps[0][1] == 0 else "v"
            flat = [flat[0] if command == "h" else flat[1]]
        repeated = command == last and command != "m" or (last, command) == ("m", "l")
        glue = ("" if flat[0].startswith("-") else " ") if repeated else command
        found.append(glue + line(flat))
        last = command
    return "".join(found)


def shorter(match):
    """A tag with its numbers rounded and its path in steps."""
    end, name, rest, empty = match.groups()
    round_off = lambda found: number(round(float(found[0]) * COARSE), COARSE)  # noqa: E731
    if name == "path" and "scale(0.015625)" in rest:
        rest = rest.replace("scale(0.015625)", f"scale({0.015625 / LETTER:g})")
        scale, in_unit = LETTER, 1
    else:
        scale = in_unit = FINE if name == "path" and ' id="' in rest else COARSE
    rest = re.sub(r' d="([^"]*)"', lambda way: f' d="{path(way[1], scale, in_unit)}"', rest)
    rest = re.sub(r' (?:x|y)="[^"]*"|translate\([^)]*\)', lambda part: re.sub(r"-?\d+\.\d+", round_off, part[0]), rest)
    if name == "use":
        rest = re.sub(r' transform="translate\((\S+) 0\)"', r' x="\1"', rest)
    return f"<{end}{name}{rest.rstrip()}{empty}>"


def without_groups(text):
    """Groups that say nothing of what is in them go."""
    open_groups = []

    def tag(match):
        end, name, rest, empty = match.groups()
        if name != "g" or empty:
            return match[0] * (name != "g")  # an empty group draws nothing
        if not end:
            open_groups.append(bool(rest))
            return match[0] if rest else ""
        return match[0] if open_groups.pop() else ""

    return TAG.sub(tag, text)


def short_names(text):
    names = {name: f"a{place}" for place, name in enumerate(re.findall(r' id="([^"]+)"', text))}
    text = re.sub(r' id="([^"]+)"', lambda match: f' id="{names[match[1]]}"', text)
    return re.sub(r"#([\w-]+)(?=[\")])", lambda match: f"#{names.get(match[1], match[1])}", text)


def light(text):
    """The drawing in few bytes; a text that is none of matplotlib's, or has been here before, as it is."""
    if "<metadata>" not in text:
        return text
    text = re.sub(r"<\?xml[^>]*\?>|<!DOCTYPE[^>]*>|<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", re.sub(r">\s+<", "><", text))
    text = without_groups(TAG.sub(shorter, text))
    return short_names(text.replace("xlink:href", "href").replace("; ", ";").replace(": ", ":")).strip() + "\n"
