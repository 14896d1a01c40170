/* The boxes Predict: a reader enters or draws what will come out, and then sees it beside what came out.

   The data stand in the box as JSON, which lrlib.book.outcome has left in the notebook. Nothing is kept, and nothing
   leaves the page. Without this script the box is its text. */

(() => {
  function set(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== false) node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  }
  const html = (name, attributes = {}, ...children) => set(document.createElement(name), attributes, children);
  const svg = (name, attributes = {}, ...children) =>
    set(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

  const brief = (value) => String(Number.isInteger(value) ? value : Number(value.toPrecision(2)));
  const capital = (words) => words.replace(/^[a-z](?=[a-z])/, (letter) => letter.toUpperCase()); // but not the w of a formula
  let serial = 0;

  /* "0.25", "1/4", "0.25 %", "−0,5", "1e-3", "2.5·10^-3" as a number; anything else is NaN. Where the label has the %, "25 %"
     is 25. A comma before three digits may be either, "2,500" or "1,125"; then what is nearer to what came is meant. */
  function read(text, label, came) {
    const signs = text.normalize("NFKC").trim().replace(/^(about|~|≈)\s*/i, "").replace(/[−–]/g, "-").replace(/\s/g, "");
    const bare = signs.replace(/%$/, "");
    const plain = bare.replace(/^(-?)10\^/, "$11e").replace(/[×·*]10(?:\^|(?=[-+]))/, "e");
    const unit = bare !== signs && !label.includes("%") ? 100 : 1;
    const value = (written) => {
      const parts = written.split("/");
      if (parts.length > 2 || parts.some((part) => part === "")) return NaN;
      return Number(parts[0]) / Number(parts[1] ?? 1) / unit;
    };
    const grouped = /^[-+]?[1-9]\d{0,2}(,\d{3})+(?![\d,])/.test(plain);
    const readings = [value(plain.replaceAll(",", ".")), grouped ? value(plain.replaceAll(",", "")) : NaN].filter(Number.isFinite);
    return readings.sort((a, b) => Math.abs(a - came) - Math.abs(b - came))[0] ?? NaN;
  }

  /* What is said of a number: [the judgement as a class, words]. */
  function judge(said, came, near) {
    if (said === came) return ["right", "Right."];
    if (Math.abs(said - came) <= near * Math.abs(came)) return ["near", "Near."];
    return said > came ? ["off", "Too high."] : ["off", "Too low."];
  }

  /* Each kind of question gives { element, answer() }, and answer() either what is said of it or undefined. */

  function number(ask, near) {
    const input = html("input", { type: "text", inputmode: "decimal", size: 7, autocomplete: "off" });
    return {
      element: html("label", { class: "ask" }, html("span", {}, capital(ask.label)), input),
      input,
      answer(refuse) {
        input.removeAttribute("aria-invalid");
        if (input.value.trim() === "") return undefined;
        const said = read(input.value, ask.label, ask.value);
        if (!Number.isFinite(said)) input.setAttribute("aria-invalid", "true"); // without a value it would mean false
        if (!Number.isFinite(said)) return refuse(input, `“${input.value}” is no number. Write it as 0.25, 1/4 or 2.5e-1.`);
        const [how, words] = judge(said, ask.value, near);
        return [how, how === "right" ? `you said ${ask.shown}, and so it is. ${words}` : `you said ${input.value.trim()}; it is ${ask.shown}. ${words}`];
      },
    };
  }

  function choice(ask) {
    const name = `predict-${++serial}`;
    const options = ask.options.map(([value]) => html("input", { type: "radio", name, value }));
    const labels = options.map((input) => html("label", {}, input, input.value));
    return {
      element: html("div", { class: "ask", role: "radiogroup", "aria-labelledby": name }, html("span", { id: name }, capital(ask.label)), ...labels),
      answer() {
        const said = options.find((input) => input.checked)?.value;
        if (said === undefined) return undefined;
        const reason = ask.options.find(([option]) => option === said)[1];
        if (said === ask.right) return ["right", `you said “${said}”, and so it is. ${reason}`];
        return ["off", `you said “${said}”; it is “${ask.right}”. ${reason}`];
      },
    };
  }

  /* A curve is drawn by its points: one on each of some places of the measured curve. A mouse draws freely, a finger
     from a point on, and the arrow keys move the point that has the focus up and down, or the focus to the next one. */
  function curve(ask) {
    const [left, right, top, bottom, width, height] = [60, 24, 10, 40, 440, 230];
    const scale = (log, from, to, low, high) => {
      const f = log ? Math.log : (v) => v;
      const g = log ? Math.exp : (v) => v;
      return {
        to: (v) => from + ((to - from) * (f(v) - f(low))) / (f(high) - f(low)),
        of: (p) => g(f(low) + ((f(high) - f(low)) * (p - from)) / (to - from)),
      };
    };
    const [low, high] = ask.ylim;
    const X = scale(ask.log.includes("x"), left, width - right, ask.x[0], ask.x.at(-1));
    const Y = scale(ask.log.includes("y"), height - bottom, top, low, high);
    const count = Math.min(11, ask.x.length);
    const places = Array.from({ length: count }, (_, i) => ask.x[Math.round((i * (ask.x.length - 1)) / (count - 1))]);
    const came = places.map((x) => ask.y[ask.x.indexOf(x)]);
    const heights = places.map(() => 0.5); // from 0, the lower edge, to 1
    const value = (i) => Y.of(height - bottom + (top - height + bottom) * heights[i]);
    const share = (v) => (Y.to(v) - (height - bottom)) / (top - height + bottom);
    const [xName, yName] = ask.names;
    let touched = false;

    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `Draw: ${ask.label}` });
    for (const [at, words] of ticks(ask.log.includes("y"), low, high)) {
      root.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: Y.to(at), y2: Y.to(at) }));
      root.append(svg("text", { x: left - 5, y: Y.to(at) + 4, "text-anchor": "end" }, words));
    }
    const wide = ask.log.includes("x") && ask.x.at(-1) / ask.x[0] > 100; // then the axis has its powers of ten
    const marks = wide ? ticks(true, ask.x[0], ask.x.at(-1)) : places.map((x, i) => [x, count < 7 || i % 2 === 0 ? brief(x) : ""]);
    for (const [at, words] of marks) {
      root.append(svg("line", { class: "grid", x1: X.to(at), x2: X.to(at), y1: top, y2: height - bottom }));
      root.append(svg("text", { x: X.to(at), y: height - bottom + 19, "text-anchor": "middle" }, words));
    }
    root.append(svg("text", { x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle" }, xName));
    root.append(svg("text", { transform: `translate(12 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, yName));
    const measured = svg("path", { class: "measured", fill: "none" });
    const line = svg("path", { class: "drawn", fill: "none" });
    root.append(measured, line);

    const points = places.map((x, i) => {
      const point = svg("g", { role: "slider", tabindex: i ? -1 : 0, "aria-orientation": "vertical", "aria-label": `${yName} at ${xName} ${brief(x)}`, "aria-valuemin": 0, "aria-valuemax": 100 }, svg("circle", { class: "reach", r: 17 }), svg("circle", { class: "point", r: 5 }));
      point.addEventListener("keydown", (event) => key(event, i));
      point.addEventListener("focus", () => points.forEach((each, k) => each.setAttribute("tabindex", k === i ? 0 : -1)));
      return point;
    });
    root.append(...points);
    /* Chromium does not ask a part of a drawing for its touch-action; without this the page would scroll under the finger. */
    for (const point of points) point.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });

    function show() {
      line.setAttribute("d", places.map((x, i) => `${i ? "L" : "M"}${X.to(x).toFixed(1)} ${Y.to(value(i)).toFixed(1)}`).join(""));
      points.forEach((point, i) => {
        point.setAttribute("transform", `translate(${X.to(places[i]).toFixed(1)} ${Y.to(value(i)).toFixed(1)})`);
        point.setAttribute("aria-valuenow", Math.round(100 * heights[i]));
        point.setAttribute("aria-valuetext", brief(value(i)));
      });
      root.classList.toggle("touched", touched);
    }

    function put(i, to) {
      heights[i] = Math.min(1, Math.max(0, to));
      touched = true;
      show();
    }

    function key(event, i) {
      const move = { ArrowUp: 0.05, ArrowDown: -0.05, PageUp: 0.2, PageDown: -0.2, Home: -1, End: 1 }[event.key];
      const turn = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (move === undefined && turn === undefined) return;
      event.preventDefault();
      event.stopPropagation(); // the theme turns pages with arrows
      if (move !== undefined) put(i, heights[i] + move);
      else points[i + turn]?.focus();
    }

    let hand; // the pointer that draws; a finger is held by the drawing also where it only scrolls
    let last; // where it was
    function draw(event) {
      const box = root.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * width;
      const y = ((event.clientY - box.top) / box.height) * height;
      const to = (y - (height - bottom)) / (top - height + bottom);
      const at = places.reduce((best, place, i) => (Math.abs(X.to(place) - x) < Math.abs(X.to(places[best]) - x) ? i : best), 0);
      const from = last ?? { at, to };
      for (let i = at; ; i += Math.sign(from.at - at)) {
        if (i === from.at && at !== from.at) break;
        put(i, at === from.at ? to : to + ((from.to - to) * (i - at)) / (from.at - at));
        if (at === from.at) break;
      }
      last = { at, to };
    }
    root.addEventListener("pointerdown", (event) => {
      const point = points.find((each) => each.contains(event.target));
      if (event.button || (event.pointerType === "touch" && !point)) return; // a menu opens, or the page scrolls
      event.preventDefault();
      root.setPointerCapture(event.pointerId);
      hand = event.pointerId;
      last = undefined;
      draw(event);
      points[last.at].focus({ preventScroll: true });
    });
    root.addEventListener("pointermove", (event) => event.pointerId === hand && draw(event));
    root.addEventListener("lostpointercapture", () => (hand = undefined));
    show();

    const key1 = html("p", { class: "key" }, html("span", { class: "yours" }, "yours"), html("span", { class: "came", hidden: "" }, "what came out"));
    const heard = html("p", { class: "heard" });
    const hint = html("p", { class: "hint" }, "Draw with the mouse, drag the points, or move them with the arrow keys.");
    return {
      element: html("div", { class: "ask sketch" }, html("span", {}, capital(ask.label)), root, hint, key1, heard),
      answer() {
        if (!touched) return undefined;
        measured.setAttribute("d", ask.x.map((x, i) => `${i ? "L" : "M"}${X.to(x).toFixed(1)} ${Y.to(ask.y[i]).toFixed(1)}`).join(""));
        key1.lastChild.hidden = false;
        hint.hidden = true;
        heard.textContent = `What came out: ${places.map((x, i) => `${brief(x)}: ${brief(came[i])}`).join("; ")}.`;
        const gaps = came.map((v, i) => heights[i] - share(v));
        const mean = gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / count;
        const worst = gaps.reduce((best, gap, i) => (Math.abs(gap) > Math.abs(gaps[best]) ? i : best), 0);
        const off = gaps[worst] > 0 ? "Too high" : "Too low";
        const far = `at ${xName} ${brief(places[worst])}, where you drew ${brief(value(worst))} and ${brief(came[worst])} came out.`;
        const words = mean < 0.02 ? "Right." : mean < 0.1 ? `Near. Furthest off ${far}` : `${off} above all ${far}`;
        return [mean < 0.1 ? "near" : "off", `your line is off by ${Math.round(100 * mean)} % of the axis on average. ${words}${lowest(ask, places, heights)}`];
      },
    };
  }

  /* Where both lowest points are, if the measured one is not at an end. */
  function lowest(ask, places, heights) {
    const at = ask.y.indexOf(Math.min(...ask.y));
    if (at === 0 || at === ask.y.length - 1 || ask.y.filter((y) => y === ask.y[at]).length > 1) return "";
    return ` Your lowest point is at ${brief(places[heights.indexOf(Math.min(...heights))])}; the one that came out is at ${brief(ask.x[at])}.`;
  }

  /* Four or so round places of an axis, or the powers of ten. */
  function ticks(log, low, high) {
    const found = [];
    if (log) {
      const each = Math.log10(high / low) > 4.5 ? 2 : 1;
      for (let k = Math.ceil(Math.log10(low) - 1e-9); 10 ** k <= high * 1.0001; k += each) found.push(Number(`1e${k}`));
    } else {
      const rough = (high - low) / 4;
      const power = 10 ** Math.floor(Math.log10(rough));
      const step = [1, 2, 5, 10].find((n) => n * power >= rough * 0.99) * power;
      for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(k * step);
    }
    return found.map((v) => [v, brief(v)]);
  }

  const kinds = { number, choice, curve };

  function build(box, data) {
    const asks = data.asked.map((ask) => ({ label: ask.label, shown: ask.shown, ...kinds[ask.kind](ask, data.near) }));
    const result = html("div", { class: "result", role: "status" });
    const say = (...nodes) => result.replaceChildren(...nodes);
    const form = html("form", { novalidate: "", autocomplete: "off" }, html("fieldset", {}, html("legend", {}, "Your prediction"), ...asks.map((ask) => ask.element)), html("button", { type: "submit" }, "Compare"), result);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      let wrong;
      const refuse = (input, words) => void (wrong ??= [input, words]);
      const answers = asks.map((ask) => ask.answer(refuse));
      if (wrong) {
        say(html("p", {}, wrong[1]));
        return wrong[0].focus();
      }
      if (answers.every((answer) => answer === undefined)) return say(html("p", {}, "Enter a prediction first, or read on."));
      const items = asks.map((ask, i) => {
        const [how, words] = answers[i] ?? ["unsaid", ask.shown ? `it is ${ask.shown}.` : "draw a line first."];
        return html("li", { class: how }, html("strong", {}, `${capital(ask.label)}: `), words);
      });
      say(html("ul", {}, ...items));
    });
    box.append(form);
  }

  for (const script of document.querySelectorAll("script.outcome")) build(script.parentElement, JSON.parse(script.textContent));
})();
