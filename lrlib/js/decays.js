/* The decay workbench: one decay, its parameters, and what they leave at the end of a run.

   A schedule is an entry of the data (its parameters with their ranges, its code as a template) and a formula here.
   Every schedule may begin late: until then it keeps the rate of its step 0. */
(() => {
  if (LrFigure.maths.decays) return;

  const style = `
lr-figure[kind="decays"] .lr-plot { color: var(--own); }
html[data-theme="dark"] lr-figure[kind="decays"] .lr-plot,
body[data-jp-theme-light="false"] lr-figure[kind="decays"] .lr-plot { color: color-mix(in srgb, var(--own) 45%, #fff); }
lr-figure .lr-area { fill: currentColor; fill-opacity: .15; }
lr-figure .lr-kept { color: var(--pale); stroke-width: 3; stroke-opacity: .6; }
lr-figure .lr-constant { color: var(--pale); stroke-width: 1; stroke-dasharray: 4 4; }
lr-figure .lr-code { margin: .25rem 0; padding: .5rem .75rem; overflow-x: auto; border: 1px solid var(--pale);
  border-radius: .25rem; background: var(--ground); color: var(--ink); font-size: .8rem; line-height: 1.4; }
lr-figure .lr-code code { padding: 0; border: 0; background: none; color: inherit; font-size: inherit; }
lr-figure .lr-code:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
lr-figure input[type="checkbox"] { width: 1.5rem; height: 1.5rem; margin: 0; accent-color: var(--focus); }
lr-figure label:has(input[type="checkbox"]) { min-height: 2.5rem; }
lr-figure .lr-told { flex: 1 1 3rem; }
`;

  /* How many whole lengths a step has behind it, as lrlib.schedules.stairs has it. */
  const stairs = (t, length) => Math.floor((t - (t % length)) / length + 0.5);
  const left = (t, p) => Math.max(0, 1 - t / p.decay_steps);
  const fall = (p, share) => p.end_learning_rate + (p.initial_learning_rate - p.end_learning_rate) * share;
  const clock = (t, p) => (p.staircase ? stairs(t, p.decay_steps) : t / p.decay_steps);

  const formulas = {
    constant: (t, p) => p.initial_learning_rate,
    piecewise: (t, p) => (t <= p.first_boundary ? p.initial_learning_rate : t <= p.second_boundary ? p.second_rate : p.third_rate),
    step: (t, p) => p.initial_learning_rate * p.decay_rate ** stairs(t, p.decay_steps),
    exponential: (t, p) => p.initial_learning_rate * p.decay_rate ** clock(t, p),
    inverse_time: (t, p) => p.initial_learning_rate / (1 + p.decay_rate * clock(t, p)),
    linear: (t, p) => fall(p, left(t, p)),
    cosine: (t, p) => fall(p, Math.sin((Math.PI / 2) * left(t, p)) ** 2),
    power: (t, p) => fall(p, left(t, p) ** p.power),
  };

  /* What is drawn: { entry, p: its parameters, start: the step at which it begins }. */
  const rate = ({ entry, p, start }, t) => formulas[entry.formula](Math.max(0, t - start), p);

  /* The rates of a run, those of the steps 0 to steps - 1. Travel is their sum, the floor is the last of them. */
  function run(schedule, steps) {
    const rates = Array.from({ length: steps }, (_, t) => rate(schedule, t));
    const travel = rates.reduce((sum, each) => sum + each, 0);
    const next = rate(schedule, steps);
    const late = next !== rates.at(-1) && next === rate(schedule, steps + 1);
    return { rates, travel, share: travel / (steps * rates[0]), floor: rates.at(-1), rest: late ? next : undefined };
  }

  /* The Python text of a schedule; a whole rate is written 1.0, since Keras would compute with 1 in whole numbers. */
  function code({ entry, p, start }, language, late) {
    const whole = (key) => entry.parameters[key]?.scale === "whole";
    const written = (key, value) => {
      if (typeof value === "boolean") return value ? "True" : "False";
      return Number.isInteger(value) && !whole(key) ? `${value}.0` : String(value);
    };
    const fill = (text, name) => text.replace(/\{(\w+)\}/g, (_, key) => (key === "it" ? name : key === "start" ? start : written(key, p[key])));
    const { imports, body, end } = entry.code[language];
    const blocks = start ? [imports, fill(body, "decay"), ...late[language].map((block) => fill(block)), end] : [imports, fill(body, "schedule"), end];
    const apart = (block) => /^(def|class) /.test(block);
    return blocks.filter(Boolean).reduce((text, block, i, all) => text + (apart(block) || apart(all[i - 1]) ? "\n\n\n" : "\n\n") + block);
  }

  function words(schedule, steps) {
    const { brief } = LrFigure;
    const { rates, travel, share, floor, rest } = run(schedule, steps);
    const times = brief(floor / rates[0]), parts = brief(rates[0] / floor);
    const of =
      floor === rates[0] ? "as at the start"
      : floor === 0 ? "nothing is left"
      : times === "1" || parts === "1" ? "about as at the start"
      : floor > rates[0] ? `${times} times the start`
      : `1/${parts} of the start`;
    const missed = rest === undefined ? "" : `, and never reaches ${brief(rest)}, which is for step ${steps}`;
    return `${schedule.entry.title}: the last step has ${brief(floor)}, ${of}${missed}. Travel ${brief(travel, 3)}, ${brief(100 * share, 3)} % of the constant rate's.`;
  }

  function draw(ui, data) {
    const { html, svg, brief } = ui;
    const entries = Object.fromEntries(data.decays.map((entry) => [entry.name, entry]));
    const whole = (v) => String(Math.round(v));
    let { steps } = data;
    let entry, p, late, kept; // late: the share of the run that keeps the first rate
    const now = () => ({ entry, p, start: Math.round((late ?? 0) * steps) });

    function control(key, { label, low, high, positions, scale, value }) {
      const change = (v) => show((p = { ...p, [key]: v }));
      if (!scale) return ui.tick({ label, value, change });
      if (scale !== "whole") return ui.slider({ label, min: low, max: high, value: p[key], log: scale === "log", steps: positions, digits: 2, change });
      return ui.slider({ label, min: low, max: high, value: p[key], steps: positions, format: whole, change: (v) => change(Math.round(v)) });
    }

    function choose(name) {
      entry = entries[name];
      const begin = Object.entries(entry.parameters).map(([key, { value }]) => [key, value]);
      p = { ...Object.fromEntries(begin), ...(p && { initial_learning_rate: p.initial_learning_rate }) };
      late = entry.late;
      const controls = Object.entries(entry.parameters).map(([key, about]) => control(key, about));
      begins = late === undefined ? undefined : ui.slider({
        label: "begins to fall at step", min: 0, max: 0.95, value: late, steps: 19, digits: 2, format: (share) => whole(share * steps),
        change: (share) => show((late = share)),
      });
      if (begins) controls.push(begins);
      parameters.replaceChildren(...controls.map(({ element }) => element));
      show();
    }

    function axes(rates) {
      const highest = Math.max(...rates), log = logarithmic.value;
      const top = log ? highest * 1.2 : nice(highest);
      const low = log ? Math.min(highest / 20, ...rates.filter((each) => each > highest * 1e-6)) / 1.2 : 0;
      const ticks = log ? powers(low, top) : [0, top / 2, top];
      return ui.plot({
        height: 210, left: 52, right: 14, x: { min: 0, max: steps, label: "step", ticks: [0, steps / 2, steps].map(Math.round) },
        y: { min: low, max: top, log, label: "learning rate", ticks: Object.fromEntries(ticks.map((v) => [v, brief(v)])) },
        describe: `The rate over the steps of a run: ${entry.title}.${log ? "" : " The shaded area under it is its travel."}`,
      });
    }

    function show() {
      const runs = (kept ? [kept, now()] : [now()]).map((schedule) => run(schedule, steps).rates);
      const mine = runs.at(-1);
      const plot = axes(runs.flat());
      const [xs, ys] = held(mine);
      if (!logarithmic.value) {
        plot.ground.append(svg("path", { class: "lr-area", d: `${plot.path([0, ...xs, steps], [0, ...ys, 0])}Z` }));
        plot.ground.append(plot.line([0, steps], [mine[0], mine[0]], { class: "lr-line lr-constant" }));
      }
      if (kept) plot.layer.append(plot.line(...held(runs[0]), { class: "lr-line lr-kept" }));
      plot.layer.append(plot.line(xs, ys));
      plot.box.style.setProperty("--own", entry.colour);
      stage.replaceChildren(plot.box);
      if (begins) begins.value = late; // in steps of this run
      ui.say(words(now(), steps) + (kept ? ` The pale line, ${words(kept, steps)}` : ""));
      shown.textContent = code(now(), language.value, data.late);
      told.textContent = "";
    }

    function keep() {
      kept = kept ? undefined : now();
      keeping.textContent = kept ? "Let the pale line go" : "Keep as a pale line";
      show();
    }

    async function copy() {
      try {
        await navigator.clipboard.writeText(shown.textContent);
        told.textContent = "Copied.";
      } catch { // a page that is no secure context has no clipboard
        getSelection().selectAllChildren(shown);
        told.textContent = document.execCommand("copy") ? "Copied." : "It is selected: copy it by keyboard.";
      }
    }

    let begins;
    const stage = html("div");
    const shown = html("code");
    const told = html("span", { class: "lr-told", role: "status" });
    const parameters = html("div", { class: "lr-row" });
    const titles = Object.fromEntries(data.decays.map(({ name, title }) => [name, title]));
    const chosen = ui.choice({ label: "Decay", options: titles, value: data.chosen, change: choose });
    const logarithmic = ui.tick({ label: "logarithmic axis", change: () => show() });
    const keeping = ui.button("Keep as a pale line", keep);
    const language = ui.choice({ label: "Code for", options: { keras: "Keras", lrlib: "lrlib" }, change: () => show() });
    const length = ui.slider({
      label: "run length", min: steps / 10, max: steps * 5, value: steps, log: true, steps: 34, digits: 2, format: whole,
      change: (v) => show((steps = Math.round(v))),
    });
    ui.row(chosen);
    ui.add(stage, ui.state, parameters);
    ui.row(length, logarithmic);
    ui.row(keeping);
    ui.row(language, ui.button("Copy", copy), told);
    ui.add(html("pre", { class: "lr-code", tabindex: 0, role: "group", "aria-label": "The code for what is drawn" }, shown));
    choose(data.chosen);
  }

  /* Each rate is held for its step, so that the area under the line is the sum of the rates. */
  function held(rates) {
    const xs = [], ys = [];
    rates.forEach((each, t) => {
      if (t && each === rates[t - 1]) xs.pop(), ys.pop();
      else xs.push(t), ys.push(each);
      xs.push(t + 1), ys.push(each);
    });
    return [xs, ys];
  }

  /* The lowest of 1, 2, 5, 10, … times a power of ten that is not below a value. */
  function nice(value) {
    const unit = 10 ** Math.floor(Math.log10(value));
    return Number((([1, 2, 5, 10].find((m) => m * unit >= value * (1 - 1e-9))) * unit).toPrecision(2));
  }

  function powers(low, high) {
    const from = Math.ceil(Math.log10(low)), to = Math.floor(Math.log10(high));
    const all = Array.from({ length: to - from + 1 }, (_, i) => Number(`1e${from + i}`));
    return all.length > 1 ? all : [Number(low.toPrecision(1)), Number(high.toPrecision(1))];
  }

  const looks = document.createElement("style");
  looks.textContent = style;
  document.head.append(looks);
  LrFigure.register("decays", draw, { formulas, rate, run, code, words });
})();
