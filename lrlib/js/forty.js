/* The article's program of 40 steps, line by line: which rate moves the weight, and which is printed. */
(() => {
  const PROGRAM = [
    "w, global_step = 5.0, 0",
    "for step in range(40):",
    "    # session.run(update)",
    "    applied = base * decay ** global_step",
    "    w = w - applied * 2 * (w + 1)",
    "    global_step = global_step + 1",
    "    # session.run([lr, loss, w])",
    "    printed = base * decay ** global_step",
    "    print(step, printed, (w + 1) ** 2, w)",
  ];
  const [FIRST, APPLY, MOVE, COUNT, ASK, PRINT] = [1, 3, 4, 5, 7, 8];
  const NEXT = { 0: FIRST, [FIRST]: APPLY, [APPLY]: MOVE, [MOVE]: COUNT, [COUNT]: ASK, [ASK]: PRINT, [PRINT]: FIRST };
  const style = `
lr-figure .lr-program { margin: .25rem 0; padding: .4rem 0; border: 1px solid var(--grid); border-radius: .25rem;
  background: var(--map); color: var(--ink); font-size: clamp(11px, (100vw - 5rem) / 25.2, .82rem); line-height: 1.55; overflow: hidden;
  list-style: none; font-family: ui-monospace, "SFMono-Regular", Menlo, Consolas, "Liberation Mono", monospace; }
lr-figure .lr-program li { margin: 0; padding: 0 .35rem 0 calc(1.25rem + 6ch); text-indent: -6ch; white-space: pre-wrap;
  overflow-wrap: anywhere; position: relative; }
lr-figure .lr-output { min-height: calc(2 * 1.55em + .8rem + 2px); }
lr-figure .lr-output li { padding: 0 .35rem; text-indent: 0; white-space: normal; }
lr-figure .lr-program .lr-note { color: var(--pale); }
lr-figure .lr-program [aria-current] { background: var(--ink); color: var(--ground); }
lr-figure .lr-program [aria-current]::before { content: "▸"; position: absolute; left: .35rem; text-indent: 0; }
lr-figure dl.lr-values { display: grid; grid-template-columns: repeat(5, auto); gap: 0 .5rem; margin: .25rem 0 !important;
  font-variant-numeric: tabular-nums; }
lr-figure .lr-values div { display: flex; flex-direction: column; }
lr-figure .lr-values dt, lr-figure .lr-values dd { margin: 0 !important; padding: 0; font-size: .8rem; font-weight: 400; }
lr-figure .lr-values dd { font-size: .95rem; font-weight: 600; }
@media (max-width: 480px) { lr-figure dl.lr-values { grid-template-columns: repeat(3, auto); } } /* whole numbers */`;

  const rate = (base, decay, globalStep) => base * decay ** globalStep;

  /* Every printed line, and the rate that led to its loss and w. */
  function run(base, decay, steps = 40) {
    const lines = [];
    let w = 5;
    for (let step = 0; step < steps; step++) {
      const before = w;
      const applied = rate(base, decay, step);
      w = w - applied * (2 * (w + 1));
      lines.push({ step, applied, printed: rate(base, decay, step + 1), before, w, loss: (w + 1) ** 2 });
    }
    return lines;
  }

  /* A number as C's %g writes it. */
  function g(value) {
    if (value === 0 || !Number.isFinite(value)) return String(value);
    const [digits, power] = value.toExponential(5).split("e").map(Number);
    if (power >= -4 && power < 6) return String(Number(value.toPrecision(6)));
    return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }

  const printed = (line) => `step:${line.step},learining_rate:${g(line.printed)},loss:${g(line.loss)},w:${g(line.w)}`;

  /* What the line at `at` has done, in words; `line` is that of the step. */
  function words({ at, step }, line) {
    const short = (v) => g(Number(v.toPrecision(4)));
    switch (at) {
      case 0: return "The program begins: w is 5, and global_step is 0.";
      case FIRST: return `Step ${step} begins.`;
      case APPLY: return `Step ${step} takes the rate at global_step ${step}: ${short(line.applied)}.`;
      case MOVE: return `Step ${step} applies ${short(line.applied)}: w moves from ${short(line.before)} to ${short(line.w)}.`;
      case COUNT: return `The update has raised global_step to ${step + 1}, before anything is printed.`;
      case ASK: return `Now the program asks for the rate: at global_step ${step + 1} it is ${short(line.printed)}.`;
      default: return line.printed === line.applied ? `Line ${step} prints ${short(line.printed)}, and it moved w: without decay the two agree.` : `Line ${step} prints ${short(line.printed)}, but ${short(line.applied)} moved w: the printed rate is the one of step ${step + 1}.`;
    }
  }

  function draw(ui, data) {
    const { html, svg, brief } = ui;
    if (!document.getElementById("lr-forty")) document.head.append(html("style", { id: "lr-forty" }, style));
    const steps = data.steps;
    const now = { base: data.base, decay: data.decay, at: PRINT, step: 0 };
    let lines;

    const curve = ui.plot({
      height: 170, left: 34, bottom: 34, describe: "The loss over the weight w, and the weights so far",
      x: { min: -4.2, max: 6, label: "weight w", ticks: [-4, -2, 0, 2, 4] }, y: { min: -3, max: 44, label: "loss" },
    });
    const ws = Array.from({ length: 81 }, (_, i) => -4.2 + (10.2 * i) / 80);
    curve.ground.append(svg("path", { class: "lr-line", style: "stroke: var(--pale)", d: curve.path(ws, ws.map((w) => (w + 1) ** 2)) }));
    const trail = svg("path", { class: "lr-line", style: "stroke-width: 5; stroke-linecap: round; color: var(--exponential)" });
    const ball = svg("circle", { r: 5.5, fill: "var(--ink)", stroke: "var(--ground)", "stroke-width": 1.5 });
    curve.layer.append(trail, ball);
    const rates = html("div");
    const program = html("ol", { class: "lr-program", "aria-label": "The program" }, ...PROGRAM.map((text) =>
      html("li", { class: text.includes("#") ? "lr-note" : undefined }, text)));
    const values = html("dl", { class: "lr-values" });
    const output = html("ol", { class: "lr-program lr-output", "aria-label": "The last line of the printout" }, html("li", {}, ""));

    /* The rates of the lines around this one: filled is what moved w, open is what was printed. */
    function drawRates(moved, asked) {
      const from = Math.max(0, Math.min(steps - 6, now.step - 3));
      const near = lines.slice(from, from + 6);
      const all = near.flatMap((line) => [line.applied, line.printed]);
      const [low, high] = [Math.min(...all), Math.max(...all)];
      const room = (high - low) / 5 || high / 20;
      const pane = ui.plot({
        height: 120, left: 60, top: 6, bottom: 22, right: 12, describe: "The applied and the printed rate of the lines around this one",
        x: { min: from - 0.5, max: from + 5.5, ticks: Object.fromEntries(near.map(({ step }, i) => [step, i ? step : `line ${step}`])) },
        y: { min: low - room, max: high + room, label: "rate", ticks: { [low]: brief(low, 3), [high]: brief(high, 3) } },
      });
      for (const line of near) {
        const circle = (rate, how) => pane.layer.append(svg("circle", { cx: pane.X(line.step), cy: pane.Y(rate), ...how }));
        if (line.step < moved) circle(line.applied, { r: 5, fill: "var(--exponential)" });
        if (line.step < asked) circle(line.printed, { r: 7, fill: "none", stroke: "var(--ink)", "stroke-width": 1.5 });
      }
      rates.replaceChildren(pane.box);
    }

    function show() {
      lines = run(now.base, now.decay, steps);
      const { at, step } = now;
      const line = lines[step];
      const moved = step + (at >= MOVE ? 1 : 0);
      const asked = step + (at >= ASK ? 1 : 0);
      const w = moved ? lines[moved - 1].w : 5;
      const past = [5, ...lines.slice(0, moved).map((one) => one.w)];
      const d = curve.path(past, past.map((v) => (v + 1) ** 2)).replaceAll("L", "M").replace(/M[^M]+/g, "$&h0");
      trail.setAttribute("d", d);
      ball.setAttribute("cx", Math.max(-100, Math.min(500, curve.X(w))));
      ball.setAttribute("cy", Math.max(-100, Math.min(500, curve.Y((w + 1) ** 2))));
      drawRates(moved, asked);
      [...program.children].forEach((li, i) => (i === at ? li.setAttribute("aria-current", "step") : li.removeAttribute("aria-current")));
      const applied = at >= APPLY ? line.applied : step ? lines[step - 1].applied : undefined;
      const told = asked ? lines[asked - 1].printed : undefined;
      const table = {
        applied: applied === undefined ? "–" : g(applied), printed: told === undefined ? "–" : g(told),
        global_step: step + (at >= COUNT ? 1 : 0), w: brief(w, 4), loss: brief((w + 1) ** 2, 4),
      };
      values.replaceChildren(...Object.entries(table).map(([name, value]) => html("div", {}, html("dt", {}, name), html("dd", {}, value))));
      const out = at === PRINT ? step : step - 1;
      output.firstChild.textContent = out < 0 ? "(nothing is printed yet)" : printed(lines[out]);
      const over = at === PRINT && step === steps - 1;
      ui.say((over ? `The end, w is ${g(Number(w.toPrecision(6)))}. ` : "") + words(now, line));
      next.disabled = nextStep.disabled = end.disabled = over;
      again.disabled = at === 0;
    }

    function forward() {
      if (now.at === PRINT) now.step += 1;
      now.at = NEXT[now.at];
    }
    const over = () => now.at === PRINT && now.step === steps - 1;
    const press = (act) => () => { act(); show(); };
    const next = ui.button("Next line", press(() => over() || forward()));
    const nextStep = ui.button("Next step", press(() => { if (!over()) do forward(); while (now.at !== PRINT); }));
    const end = ui.button("Run to the end", press(() => Object.assign(now, { at: PRINT, step: steps - 1 })));
    const again = ui.button("Start again", press(() => Object.assign(now, { at: 0, step: 0 })));
    const base = ui.slider({
      label: "Base rate", min: 0.01, max: 1.2, value: now.base, log: true, digits: 2, format: (v) => brief(v, 3),
      change: (v) => { now.base = v; show(); },
    });
    const decay = ui.slider({
      label: "Decay rate", min: 0.8, max: 1, value: now.decay, steps: 40, digits: 3, format: (v) => brief(v, 3),
      change: (v) => { now.decay = v; show(); },
    });

    ui.add(program, ui.state);
    ui.row(next, nextStep, end, again);
    ui.add(values, output, rates, curve.box);
    ui.row(base, decay);
    show();
  }

  LrFigure.register("forty", draw, { rate, run, g, printed, words });
})();
