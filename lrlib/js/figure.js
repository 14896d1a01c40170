/* <lr-figure kind="bowl">: a figure that answers the hand, in a page without a kernel.

   Its children are its data (JSON) and a picture. The picture stays where this script does not run. What a kind of
   figure does stands in a file of its own, which calls LrFigure.register(kind, draw, maths); `draw(ui, data)` builds it
   with the few parts below, and `maths` holds its pure functions, which the tests compare with lrlib. */

(() => {
  if (window.LrFigure) return;

  const kinds = {};
  const style = `
lr-figure { --ink: #222; --pale: #6b6b6b; --grid: #ddd; --ground: #fff; --small: #1d5faf; --right: #1f7a65;
  --large: #9a6800; --failed: #8c1c13; --exponential: #c2247f; --focus: #1d5faf; --map: #f4f6fa; display: block; max-width: 27.5rem;
  margin: .5rem 0; color: var(--ink); font-size: .95rem; line-height: 1.45;
  text-align: left; }
html[data-theme="dark"] lr-figure, body[data-jp-theme-light="false"] lr-figure { --ink: #e8e8e8; --pale: #a6a6a6;
  --grid: #444; --ground: #121212; --small: #8ab8f5; --right: #5fd0b3; --large: #f0b43c; --failed: #ff8a80;
  --exponential: #f58cc8; --focus: #8ab8f5; --map: #1b212b; }
lr-figure .lr-plot { position: relative; }
lr-figure svg { display: block; width: 100%; height: auto; overflow: hidden; touch-action: pan-y pinch-zoom; -webkit-user-select: none;
  user-select: none; font-size: 12px; }
lr-figure svg text { fill: var(--ink); }
lr-figure .lr-axis, lr-figure .lr-tick { stroke: var(--pale); stroke-width: 1; }
lr-figure .lr-grid { stroke: var(--grid); stroke-width: 1; }
lr-figure .lr-line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
lr-figure .lr-row { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: center; margin: .25rem 0; }
lr-figure label { display: flex; flex: 1 1 9.5rem; flex-wrap: wrap; gap: 0 .5rem; align-items: center; margin: 0; }
lr-figure label > .lr-name { flex: 1 0 auto; }
lr-figure .lr-value { min-width: 3.5em; text-align: right; font-variant-numeric: tabular-nums; }
lr-figure .lr-slide { position: relative; flex: 1 1 100%; }
lr-figure .lr-marked { padding-bottom: 1.1rem; }
lr-figure .lr-mark { position: absolute; top: 50%; bottom: 0; width: 0; pointer-events: none; }
lr-figure .lr-marked .lr-mark { top: .25rem; }
lr-figure .lr-mark::before { content: ""; position: absolute; top: 0; left: -1px; width: 2px; height: 1.9rem;
  background: var(--ink); }
lr-figure .lr-mark span { position: absolute; bottom: 0; transform: translateX(-50%); font-size: .8rem;
  line-height: 1.1; white-space: nowrap; }
lr-figure input[type="range"] { appearance: none; display: block; position: relative; width: 100%; height: 2.25rem;
  margin: 0; padding: 0; border: 0; background: none; cursor: pointer; }
lr-figure input[type="range"]::-webkit-slider-runnable-track { height: 8px; border-radius: 4px;
  background: var(--track, var(--grid)); }
lr-figure input[type="range"]::-moz-range-track { height: 8px; border-radius: 4px;
  background: var(--track, var(--grid)); }
lr-figure input[type="range"]::-webkit-slider-thumb { appearance: none; width: 24px; height: 24px; margin-top: -8px;
  border: 3px solid var(--ground); border-radius: 50%; background: var(--ink); }
lr-figure input[type="range"]::-moz-range-thumb { box-sizing: border-box; width: 24px; height: 24px;
  border: 3px solid var(--ground); border-radius: 50%; background: var(--ink); }
lr-figure button:not(.lr-handle), lr-figure select { min-height: 2.5rem; padding: .15rem .8rem;
  border: 1px solid var(--pale); border-radius: .25rem; background: var(--ground); color: var(--ink); font: inherit;
  cursor: pointer; }
lr-figure select { font-size: max(1rem, 16px); } /* Safari on a phone enlarges the page for smaller ones */
lr-figure button:not(.lr-handle):hover { border-color: var(--ink); }
lr-figure button:disabled { opacity: .5; cursor: default; }
lr-figure button[aria-pressed="true"] { border-color: var(--focus); box-shadow: inset 0 0 0 1px var(--focus); }
lr-figure .lr-handle { position: absolute; width: 44px; height: 44px; padding: 0; border: 0; border-radius: 50%;
  background: none; transform: translate(-50%, -50%); cursor: grab; touch-action: none; }
lr-figure .lr-handle::after { content: ""; position: absolute; inset: 13px; border: 3px solid var(--ground);
  border-radius: 50%; background: var(--ink); box-shadow: 0 0 0 1px var(--ink); }
lr-figure .lr-handle:active { cursor: grabbing; }
lr-figure :is(button, select, input, summary):focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
lr-figure .lr-state { min-height: 2.9em; margin: .25rem 0; font-weight: 500; }
lr-figure .lr-heard { position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); }
lr-figure[data-live] > img { display: none; }
@media print {
  lr-figure, html[data-theme="dark"] lr-figure { --ink: #222; --pale: #6b6b6b; --grid: #ddd; --ground: #fff;
    --small: #1d5faf; --right: #1f7a65; --large: #9a6800; --failed: #8c1c13; --exponential: #c2247f; --map: #f4f6fa; break-inside: avoid; }
  lr-figure .lr-row { display: none; }
}
@media (forced-colors: active) {
  lr-figure, html[data-theme="dark"] lr-figure { --ink: CanvasText; --pale: CanvasText; --grid: GrayText; --ground: Canvas; --small: CanvasText;
    --right: CanvasText; --large: CanvasText; --failed: CanvasText; --exponential: CanvasText; --focus: Highlight; --map: Canvas; }
  lr-figure input[type="range"] { appearance: auto; }
  lr-figure input[type="range"]::-webkit-slider-runnable-track { border: 1px solid CanvasText; }
  lr-figure input[type="range"]::-moz-range-track { border: 1px solid CanvasText; }
  lr-figure .lr-mark::before { forced-color-adjust: none; }
  lr-figure .lr-handle::after { border-color: Highlight; }
}
`;

  function set(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child !== undefined));
    return node;
  }
  const html = (name, attributes = {}, ...children) => set(document.createElement(name), attributes, children);
  const svg = (name, attributes = {}, ...children) =>
    set(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

  /* A number in few digits as a reader writes it: 0.31, 1200, 2.1e-5. */
  function brief(value, digits = 2) {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : "infinite";
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size < 1e-3 || size >= 1e5) return value.toExponential(digits - 1).replace(/\.?0*e\+?/, "e");
    return String(Number(value.toPrecision(digits)));
  }

  let serial = 0;

  /* The parts of a figure. Every control is a native one, so that it works by mouse, touch and keyboard. On the way back
     to a page a browser would set them as they were, and not the figure: autocomplete="off". Safari, which keeps the
     figure, then sets them to their defaults: so these follow. */
  class Parts {
    constructor(host) {
      this.host = host;
      this.state = html("p", { class: "lr-state", "aria-hidden": "true" });
      this.heard = html("p", { class: "lr-heard", role: "status" });
      this.brief = brief;
      this.html = html;
      this.svg = svg;
      this.still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    }

    add(...nodes) {
      this.host.append(...nodes);
      return nodes[0];
    }

    row(...nodes) {
      return this.add(html("div", { class: "lr-row" }, ...nodes.map((node) => node.element ?? node)));
    }

    /* `log: true` moves by equal factors; `steps` is the number of positions; `format` writes the value; `digits` are
       kept of it. `control.marks = [[0.125, "1/λ"]]` marks values on its scale, where the slider then stops, too;
       `control.track` is a CSS background for the scale. */
    slider({ label, min, max, value, log = false, steps = 200, digits = 6, format = brief, change = () => {} }) {
      const at = (v) => (log ? Math.log(v / min) / Math.log(max / min) : (v - min) / (max - min));
      const from = (p) => (log ? min * (max / min) ** p : min + (max - min) * p);
      const shown = html("span", { class: "lr-value", "aria-hidden": "true" });
      const input = html("input", { type: "range", min: 0, max: steps, step: 1, "aria-label": label, autocomplete: "off" });
      const slide = html("span", { class: "lr-slide" }, input);
      let current;
      let marked = [];
      const show = () => {
        shown.textContent = format(current);
        input.setAttribute("aria-valuetext", format(current));
        input.defaultValue = input.value;
      };
      const control = {
        element: html("label", {}, html("span", { class: "lr-name" }, label), shown, slide),
        input,
        at,
        from,
        get value() {
          return current;
        },
        set value(v) {
          current = Math.min(max, Math.max(min, v));
          input.value = Math.round(at(current) * steps);
          show();
        },
        set track(background) {
          input.style.setProperty("--track", background);
        },
        set marks(pairs) {
          marked = pairs.filter(([v]) => v >= min && v <= max);
          slide.classList.toggle("lr-marked", pairs.length > 0);
          slide.querySelectorAll(".lr-mark").forEach((mark) => mark.remove());
          for (const [v, words] of marked) {
            const left = `calc(12px + ${at(v).toFixed(4)} * (100% - 24px))`;
            slide.prepend(html("span", { class: "lr-mark", "aria-hidden": "true", style: `left: ${left}` }, html("span", {}, words)));
          }
        },
      };
      input.addEventListener("input", () => {
        const stop = marked.find(([v]) => Math.round(at(v) * steps) === Number(input.value));
        current = stop ? stop[0] : Number(from(input.value / steps).toPrecision(digits));
        show();
        change(current);
      });
      let before; // a finger that comes to scroll moves the slider first, and then back
      input.addEventListener("pointerdown", () => (before = current), true);
      input.addEventListener("pointercancel", () => {
        if (before === current) return;
        control.value = before;
        change(current);
      });
      control.value = value;
      return control;
    }

    choice({ label, options, value, change = () => {} }) {
      const select = html("select", { "aria-label": label, autocomplete: "off" });
      for (const [key, words] of Object.entries(options)) select.append(html("option", { value: key }, words));
      select.value = value ?? Object.keys(options)[0];
      select.addEventListener("change", () => change(select.value));
      const element = html("label", {}, html("span", { class: "lr-name" }, label), select);
      return { element, select, get value() { return select.value; }, set value(v) { select.value = v; } };
    }

    tick({ label, value = false, change = () => {} }) {
      const input = html("input", { type: "checkbox", autocomplete: "off" });
      input.checked = input.defaultChecked = value;
      input.addEventListener("change", () => change((input.defaultChecked = input.checked)));
      return { element: html("label", {}, input, label), input, get value() { return input.checked; } };
    }

    button(label, press) {
      return html("button", { type: "button", onclick: press }, label);
    }

    /* A point of a plot that can be dragged, and moved by the arrow keys; a tap on the plot brings it there, too.
       `move(x, y)` gets what the hand asks for, and calls `handle.place(x, y, words)` with what it becomes. */
    handle({ plot, label, nudge, move }) {
      const { box, svg: root, X, Y } = plot;
      const button = html("button", { type: "button", class: "lr-handle" });
      let now;
      const follow = (event) => {
        const frame = root.getBoundingClientRect();
        const scale = plot.width / frame.width;
        move(X.from((event.clientX - frame.left) * scale), Y.from((event.clientY - frame.top) * scale));
      };
      button.addEventListener("pointerdown", (event) => event.button || button.setPointerCapture(event.pointerId));
      button.addEventListener("pointermove", (event) => button.hasPointerCapture(event.pointerId) && follow(event));
      root.addEventListener("click", follow);
      button.addEventListener("click", () => button.focus({ preventScroll: true })); // Safari gives a button none
      const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      button.addEventListener("keydown", (event) => {
        const way = ways[event.key];
        if (!way) return;
        event.preventDefault();
        move(now[0] + way[0] * nudge[0], now[1] + way[1] * nudge[1]);
      });
      box.append(button);
      return {
        element: button,
        place(x, y, words) {
          now = [x, y];
          button.style.left = `${((100 * X(x)) / plot.width).toFixed(3)}%`;
          button.style.top = `${((100 * Y(y)) / plot.height).toFixed(3)}%`;
          button.setAttribute("aria-label", `${label} ${words}`);
        },
      };
    }

    /* The state of the figure in words: at once to the eye, and to a screen reader when the hand has come to rest. */
    say(words) {
      const first = !this.state.isConnected || !this.heard.isConnected;
      if (!this.state.isConnected) this.add(this.state);
      if (!this.heard.isConnected) this.state.after(this.heard);
      this.state.textContent = words;
      clearTimeout(this.timer);
      if (first) this.heard.textContent = words;
      else this.timer = setTimeout(() => (this.heard.textContent = words), 500);
    }

    /* Axes with room for lines. x and y: { min, max, log, label, ticks: [numbers] or {number: words} }. `describe`
       is its name for those who do not see it. Add `plot.box` to the figure. A phone shows it about 360 units wide. */
    plot({ width = 360, height = 220, x, y, describe, left = 46, bottom = 38, top = 10, right = 10 }) {
      const scale = (axis, from, to) => {
        const f = axis.log ? Math.log : (u) => u;
        const back = axis.log ? Math.exp : (u) => u;
        const span = f(axis.max) - f(axis.min);
        const to_place = (v) => from + ((to - from) * (f(v) - f(axis.min))) / span;
        to_place.from = (place) => back(f(axis.min) + (span * (place - from)) / (to - from));
        return to_place;
      };
      const X = scale(x, left, width - right);
      const Y = scale(y, height - bottom, top);
      const id = `lr-clip-${++serial}`;
      const clip = svg("clipPath", { id }, svg("rect", { x: left, y: top, width: width - right - left, height: height - bottom - top }));
      const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": describe }, svg("defs", {}, clip));
      const named = (axis) =>
        (Array.isArray(axis.ticks) ? axis.ticks.map((v) => [v, brief(v)]) : Object.entries(axis.ticks ?? {}).map(([v, words]) => [Number(v), words]));
      for (const [v, words] of named(x)) {
        root.append(svg("line", { class: "lr-grid", x1: X(v), x2: X(v), y1: top, y2: height - bottom }));
        root.append(svg("text", { x: X(v), y: height - bottom + 15, "text-anchor": "middle" }, words));
      }
      for (const [v, words] of named(y)) {
        root.append(svg("line", { class: "lr-grid", x1: left, x2: width - right, y1: Y(v), y2: Y(v) }));
        root.append(svg("text", { x: left - 5, y: Y(v) + 4, "text-anchor": "end" }, words));
      }
      root.append(svg("path", { class: "lr-axis", fill: "none", d: `M${left} ${top}V${height - bottom}H${width - right}` }));
      root.append(svg("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, x.label ?? ""));
      root.append(svg("text", { transform: `translate(12 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, y.label ?? ""));
      const ground = svg("g", { "clip-path": `url(#${id})` });
      const layer = svg("g", { "clip-path": `url(#${id})` });
      root.append(ground, layer);
      const points = (xs, ys) => xs.map((v, i) => [X(v), Y(ys[i])]).filter(([a, b]) => Number.isFinite(a) && Number.isFinite(b));
      const path = (xs, ys) => {
        const far = (p) => Math.max(-1e4, Math.min(1e4, p)).toFixed(1);
        return points(xs, ys).map(([a, b], i) => `${i ? "L" : "M"}${far(a)} ${far(b)}`).join("");
      };
      return { box: html("div", { class: "lr-plot" }, root), svg: root, width, height, ground, layer, X, Y, path, line: (xs, ys, attributes = {}) => svg("path", { class: "lr-line", d: path(xs, ys), ...attributes }) };
    }
  }

  class Figure extends HTMLElement {
    connectedCallback() {
      this.begin();
    }

    /* Waits until the parser has brought the data, and a script the kind. */
    begin(tries = 200) {
      if (this.dataset.live !== undefined || !this.isConnected) return;
      const data = this.querySelector('script[type="application/json"]');
      const kind = kinds[this.getAttribute("kind")];
      if (!data || !kind) {
        if (tries) setTimeout(() => this.begin(tries - 1), 25);
        return;
      }
      this.setAttribute("role", "group");
      if (!this.hasAttribute("aria-label")) this.setAttribute("aria-label", this.getAttribute("name") ?? "Interactive figure");
      /* JupyterLab's keys, and those of a page, stay out of a slider. */
      this.dataset.lmSuppressShortcuts = "true";
      this.addEventListener("keydown", (event) => event.stopPropagation());
      this.dataset.live = "";
      const before = [...this.childNodes];
      try {
        kind(new Parts(this), JSON.parse(data.textContent));
      } catch (error) {
        this.replaceChildren(...before);
        delete this.dataset.live;
        throw error;
      }
    }
  }

  document.head.append(html("style", {}, style));
  window.LrFigure = {
    maths: {},
    brief,
    register(kind, draw, maths = {}) {
      kinds[kind] = draw;
      this.maths[kind] = maths;
      document.querySelectorAll(`lr-figure[kind="${kind}"]`).forEach((figure) => figure.begin?.());
    },
  };
  customElements.define("lr-figure", Figure);
})();
