// The search page: every section that has all the words of the question, the best first, with a line of its text.
// BOOK is [[address, title, [[anchor, title, text], …]], …]; the build writes it.

{
  const HAN = /\p{Script=Han}/u;
  const HYPHENS = "[-\u00ad\u2010-\u2013]?";
  const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

  // A word is found where a word begins with it, with or without hyphens; Chinese has no blanks, so it is found anywhere.
  const pattern = (word) => {
    const letters = [...word.normalize("NFKC").replace(/[-\u00ad\u2010-\u2013]/g, "")];
    const plural = letters.length > 4 && letters.at(-1) === "s" && letters.at(-2) !== "s";
    const body = letters.map(escape).join(HYPHENS) + (plural ? "?" : "");
    return new RegExp(HAN.test(word) ? body : `(?<![\\p{L}\\p{N}])${body}`, "giu");
  };

  const words = (question) => [...new Set(question.split(/[\s,;:"“”()，。；：]+/))].filter((word) => /[\p{L}\p{N}]/u.test(word));

  const count = (text, word) => (text.match(word) ?? []).length;

  const find = (patterns) => {
    const found = [];
    for (const [address, page, sections] of BOOK) {
      for (const [anchor, title, text] of sections) {
        const name = title.replace(/^[\d.]+ /, ""); // of a chapter, without its number
        const here = patterns.map((word) => 10 * Math.min(count(name, word), 1) + Math.min(count(text, word), 5));
        if (here.every(Boolean)) {
          const begins = patterns.some((word) => name.search(word) === 0);
          const isAll = patterns.reduce((left, word) => left.replace(word, ""), name).trim() === "";
          const score = here.reduce((sum, one) => sum + one) + (begins ? 10 : 0) + (isAll ? 10 : 0);
          found.push({ address: `${address}#${anchor}`, page, title, text, score });
        }
      }
    }
    return found.sort((a, b) => b.score - a.score);
  };

  const element = (name, text = "", kind = "") => Object.assign(document.createElement(name), { textContent: text, className: kind });

  // About 200 characters around the first word that was found, from a word's beginning, with the words marked.
  const excerpt = (text, patterns) => {
    const places = patterns.map((word) => text.search(word)).filter((place) => place >= 0);
    const around = Math.max(0, Math.min(...places, text.length) - 70);
    const start = around === 0 || places.length === 0 ? 0 : HAN.test(text[around]) ? around : text.indexOf(" ", around) + 1;
    const cut = text.slice(start, start + 200);
    const all = new RegExp(patterns.map((word) => word.source).join("|"), "giu");
    const line = element("p", start > 0 ? "… " : "");
    let end = 0;
    for (const match of cut.matchAll(all)) {
      line.append(cut.slice(end, match.index), element("mark", match[0]));
      end = match.index + match[0].length;
    }
    line.append(cut.slice(end), start + 200 < text.length ? " …" : "");
    return line;
  };

  const place = document.querySelector("#search-results");
  const status = element("p");
  status.setAttribute("role", "status");
  const list = element("ul");
  place.append(status, list);

  const show = (question) => {
    const patterns = words(question).map(pattern);
    const found = patterns.length ? find(patterns) : [];
    const pages = new Set(found.map((one) => one.page)).size;
    const many = (number, thing) => `${number} ${thing}${number === 1 ? "" : "s"}`;
    status.textContent = !patterns.length
      ? ""
      : found.length
        ? `Found in ${many(found.length, "section")} of ${many(pages, "page")}.` + (found.length > 40 ? " The best 40:" : "")
        : "No section has all of these words. Fewer words, or shorter ones, find more.";
    list.replaceChildren(
      ...found.slice(0, 40).map((one) => {
        const item = element("li");
        const link = Object.assign(element("a", one.title || one.page), { href: one.address });
        item.append(link, one.title === one.page ? "" : element("span", ` · ${one.page}`, "page"), excerpt(one.text, patterns));
        return item;
      }),
    );
  };

  const field = document.querySelector(".bd-search-container input[type=search]");
  field.value = new URLSearchParams(location.search).get("q") ?? "";
  field.addEventListener("input", () => {
    history.replaceState(null, "", `?q=${encodeURIComponent(field.value)}`);
    show(field.value);
  });
  show(field.value);
}
