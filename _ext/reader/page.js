/* What the style sheets cannot do for a reader who has no mouse, or who prints. */

(() => {
  const root = document.documentElement;

  /* The switch of colours says how it stands, and keeps the focus when it is pressed; what it says when a mouse comes
     near goes then, for the focus alone would hold it over the page. */
  const words = { light: "light", dark: "dark", auto: "as your system" };
  const switches = document.querySelectorAll(".theme-switch-button");
  const name = () => {
    for (const button of switches) button.setAttribute("aria-label", `Colours: ${words[root.dataset.mode] ?? words.auto}`);
  };
  name();
  new MutationObserver(name).observe(root, { attributeFilter: ["data-mode"] });
  for (const button of switches) {
    let pressed = false; // who has pressed it needs no words, nor those that were on their way
    button.addEventListener("show.bs.tooltip", (event) => pressed && event.preventDefault());
    button.addEventListener("blur", () => (pressed = false));
    button.addEventListener("click", () =>
      setTimeout(() => {
        pressed = true;
        button.focus({ preventScroll: true });
        window.bootstrap?.Tooltip.getInstance(button)?.hide();
      }),
    );
  }

  /* What scrolls is reached by keyboard; what does not is no stop on the way. */
  const reach = () => {
    for (const box of document.querySelectorAll("article :is(pre, div.math, .pst-scrollable-table-container, .cell_output, .output)")) {
      const tall = box.scrollHeight > box.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(box).overflowY);
      if (tall || box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else if (box.clientWidth) box.removeAttribute("tabindex");
    }
  };
  let soon;
  const later = () => {
    clearTimeout(soon);
    soon = setTimeout(reach, 100);
  };
  addEventListener("load", later);
  document.fonts.addEventListener("loadingdone", later); // formulas become wider with theirs
  addEventListener("resize", later);
  document.addEventListener("toggle", later, true);

  /* Paper is light, and nothing on it can be opened. */
  let closed, theme;
  const print = () => {
    if (closed) return;
    closed = [...document.querySelectorAll("article details:not([open])")];
    closed.forEach((fold) => (fold.open = true));
    document.querySelectorAll("img[loading]").forEach((image) => image.removeAttribute("loading"));
    theme = root.dataset.theme;
    root.dataset.theme = "light";
  };
  const back = () => {
    if (!closed) return;
    closed.forEach((fold) => (fold.open = false));
    root.dataset.theme = theme;
    closed = undefined;
  };
  addEventListener("beforeprint", print);
  addEventListener("afterprint", back);
  const paper = matchMedia("print");
  paper.addEventListener("change", () => (paper.matches ? print() : back()));
})();
