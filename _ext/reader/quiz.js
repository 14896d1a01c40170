/* Check yourself: the options of a question become buttons, and the one that is pressed shows its reason.

   The reasons stand in the answer below, a list with an item for each option; without this script they are there to be
   opened, and with it, too. */

(() => {
  const letter = /^\s*\(([a-z])\)/;

  function ask(options, answer) {
    const reasons = new Map();
    for (const item of answer.querySelectorAll(":scope > ul > li")) {
      for (const [, name] of (item.querySelector("strong")?.textContent ?? "").matchAll(/\(([a-z])\)/g)) reasons.set(name, item);
    }
    const right = answer.querySelector(":scope > ul > li > strong, :scope > ul > li > p > strong")?.textContent;
    if (![...options.children].every((option) => reasons.has(option.textContent.match(letter)?.[1]))) return;

    const reason = document.createElement("div");
    reason.className = "reason";
    reason.setAttribute("role", "status");
    for (const option of options.children) {
      const name = option.textContent.match(letter)[1];
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", "false");
      const paragraph = option.querySelector(":scope > p");
      button.append(...(paragraph ?? option).childNodes);
      paragraph?.remove();
      option.prepend(button);
      button.addEventListener("click", () => {
        for (const other of options.querySelectorAll("button")) other.setAttribute("aria-pressed", other === button);
        const is = right.includes(`(${name})`);
        const words = document.createElement("strong");
        words.textContent = is ? "Right. " : "Not this one. ";
        reason.className = is ? "reason right" : "reason wrong";
        const copy = reasons.get(name).cloneNode(true);
        (copy.querySelector(":scope > p") ?? copy).prepend(words);
        reason.replaceChildren(...copy.childNodes);
      });
    }
    options.classList.add("options");
    options.after(reason);
  }

  for (const answer of document.querySelectorAll("details")) {
    const options = answer.previousElementSibling;
    if (options?.tagName === "UL" && letter.test(options.textContent)) ask(options, answer);
  }
})();
