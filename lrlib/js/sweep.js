/* The sweep explorer: the U of a recorded sweep, and the loss curves of one of its rates, over the seeds. */
(() => {
  if (LrFigure.maths.sweep) return;

  const style = `
lr-figure[kind="sweep"] { max-width: 46rem; }
lr-figure .lr-panes { display: flex; flex-wrap: wrap; gap: .5rem 1rem; }
lr-figure .lr-panes > .lr-plot { flex: 1 1 19rem; max-width: 27.5rem; }
lr-figure .lr-u { cursor: ew-resize; }
lr-figure .lr-dots, lr-figure .lr-crosses { stroke: currentColor; stroke-width: 5; stroke-linecap: round; fill: none; }
lr-figure .lr-crosses { stroke-width: 2; }
lr-figure .lr-big { stroke-width: 9; }
lr-figure .lr-seed { stroke-width: 1.3; stroke-opacity: .75; }
`;
  const VARIABLE = { "too small": "var(--small)", right: "var(--right)", "too large": "var(--large)", failed: "var(--failed)" };

  /* What became of the runs of one rate: how many there are and failed, and the losses of the others. */
  function result(sweep, i) {
    const failed = new Set(sweep.failed[i]);
    const kept = sweep.losses[i].filter((loss, seed) => loss !== null && !failed.has(seed));
    const count = sweep.losses[i].length;
    const mean = kept.reduce((sum, loss) => sum + loss, 0) / kept.length;
    return { count, failed: count - kept.length, kept, mean, low: Math.min(...kept), high: Math.max(...kept) };
  }

  function words(sweep, i, measure) {
    const { brief } = LrFigure;
    const { count, failed, kept, mean, low, high } = result(sweep, i);
    const kind = sweep.kinds[i];
    const slow = kind === "too small";
    const losses = kept.length > 1 ? `${measure} ${brief(mean)} (${brief(low)} to ${brief(high)})` : kept.length ? `${measure} ${brief(mean)}` : "";
    const name = `lr ${brief(sweep.rates[i])}${kind === "failed" ? "" : `, ${kind}`}: `;
    if (!failed) return `${name}${kind === "right" ? `${count} of ${count} runs arrive` : "no run failed"}; ${losses}`;
    const fate = `${failed} of ${count} runs ${slow ? "are still no better than a constant guess" : "failed"}`;
    return `${name}${fate}${kept.length ? `; the others' ${losses}` : ""}`;
  }

  /* The place of the rate that is nearest on a logarithmic axis. */
  function nearest(rates, rate) {
    const far = rates.map((each) => Math.abs(Math.log(each / rate)));
    return far.indexOf(Math.min(...far));
  }

  function powers(low, high) {
    const all = [];
    for (let power = Math.ceil(Math.log10(low) - 1e-9); power <= Math.log10(high) + 1e-9; power++) all.push(Number(`1e${power}`));
    const every = Math.ceil(all.length / 6);
    if (all.length > 1) return all.filter((_, i) => i % every === 0);
    const more = [0.2, 0.5, 1, 2, 5].map((m) => Number((m * (all[0] ?? 10 ** Math.floor(Math.log10(high)))).toPrecision(1)));
    return more.filter((v) => v >= low && v <= high);
  }

  function draw(ui, data) {
    const { html, svg, brief } = ui;
    let sweep, chosen, u, curves, line, big, slider;

    function ofU() {
      const { rates } = sweep;
      const kept = rates.flatMap((_, i) => result(sweep, i).kept);
      const y = { min: Math.min(...kept) / 1.3, max: Math.max(...kept, sweep.constant ?? 0) * 2, log: true, label: data.measure };
      const x = { min: rates[0] / 1.3, max: rates.at(-1) * 1.3, log: true, label: "learning rate", ticks: powers(rates[0], rates.at(-1)) };
      u = ui.plot({ width: 340, height: 240, left: 52, right: 14, x, y: { ...y, ticks: powers(y.min, y.max) }, describe: `The U: ${data.measure} against the learning rate, a dot for each seed` });
      u.svg.classList.add("lr-u");
      const whole = rates.map((_, i) => i).filter((i) => !result(sweep, i).failed);
      u.ground.append(u.line(whole.map((i) => rates[i]), whole.map((i) => result(sweep, i).mean), { class: "lr-line lr-seed", style: "color: var(--pale)" }));
      line = svg("path", { class: "lr-line", style: "color: var(--ink); stroke-width: 1" });
      big = svg("g", {});
      u.layer.append(line, ...rates.map((_, i) => marks(i)), big);
    }

    function marks(i, more = "") {
      const { kept, failed } = result(sweep, i);
      const group = svg("g", { style: `color: ${VARIABLE[sweep.kinds[i]]}` });
      const x = u.X(sweep.rates[i]).toFixed(1);
      group.append(svg("path", { class: `lr-dots${more}`, d: kept.map((loss) => `M${x} ${u.Y(loss).toFixed(1)}h0`).join("") }));
      if (failed && sweep.kinds[i] !== "too small") {
        group.append(svg("path", { class: "lr-crosses", style: "color: var(--failed)", d: `M${x - 4} 16l8 8m0-8l-8 8` }));
      }
      return group;
    }

    function ofCurves() {
      const { steps, window } = sweep;
      const at = sweep.curves[0][0].map((_, i) => i * window + (window - 1) / 2);
      const all = sweep.curves.flat(2).filter((v) => v !== null && v > 0);
      const start = Math.max(sweep.curves[0][0][0], sweep.constant ?? 0);
      const y = { min: Math.min(...all) / 1.2, max: Math.min(Math.max(...all), 1e3 * start) * 1.2, log: true, label: "loss of the batches" };
      const plot = ui.plot({
        width: 340, height: 240, left: 52, right: 14, x: { min: 0, max: steps, label: "step", ticks: [0, steps / 2, steps] }, y: { ...y, ticks: powers(y.min, y.max) },
        describe: `Loss against step under the learning rate ${brief(sweep.rates[chosen])}, a line for each seed`,
      });
      if (sweep.constant) {
        plot.ground.append(plot.line([0, steps], [sweep.constant, sweep.constant], { class: "lr-line", style: "color: var(--pale); stroke-width: 1; stroke-dasharray: 4 4" }));
        plot.svg.append(svg("text", { x: 322, y: plot.Y(sweep.constant) - 4, "text-anchor": "end", style: "font-size: 11px" }, "a constant guess"));
      }
      sweep.curves[chosen].forEach((losses, seed) => {
        const end = losses.indexOf(null);
        const shown = end < 0 ? losses : losses.slice(0, end);
        const kind = sweep.failed[chosen].includes(seed) && sweep.kinds[chosen] !== "too small" ? "failed" : sweep.kinds[chosen];
        plot.layer.append(plot.line(at.slice(0, shown.length), shown, { class: "lr-line lr-seed", style: `color: ${VARIABLE[kind]}` }));
      });
      return plot;
    }

    function show(i) {
      chosen = i;
      const x = u.X(sweep.rates[i]).toFixed(1);
      line.setAttribute("d", `M${x} 0V240`);
      big.replaceChildren(marks(i, " lr-big"));
      const next = ofCurves();
      curves ? curves.box.replaceWith(next.box) : panes.append(next.box);
      curves = next;
      slider.value = i;
      ui.say(words(sweep, i, data.measure));
    }

    function take(name) {
      const rate = sweep?.rates[chosen];
      sweep = data.sweeps.find((each) => each.name === name);
      ofU();
      panes.replaceChildren(u.box);
      curves = undefined;
      const last = sweep.rates.length - 1;
      slider = ui.slider({
        label: "Learning rate", min: 0, max: last, value: data.chosen, steps: last, format: (i) => brief(sweep.rates[Math.round(i)]),
        change: (i) => show(Math.round(i)),
      });
      moving.replaceChildren(slider.element);
      const follow = (event) => {
        const frame = u.svg.getBoundingClientRect();
        show(nearest(sweep.rates, u.X.from(((event.clientX - frame.left) * u.width) / frame.width)));
      };
      let before; // a finger that scrolls the page leaves the rate as it was
      u.svg.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        before = chosen;
        u.svg.setPointerCapture(event.pointerId);
        follow(event);
      });
      u.svg.addEventListener("pointermove", (event) => u.svg.hasPointerCapture(event.pointerId) && follow(event));
      u.svg.addEventListener("pointercancel", () => show(before));
      show(rate === undefined ? data.chosen : nearest(sweep.rates, rate));
    }

    const panes = html("div", { class: "lr-panes" });
    const moving = html("div", { class: "lr-row" });
    if (data.sweeps.length > 1) {
      const names = Object.fromEntries(data.sweeps.map(({ name }) => [name, name]));
      ui.row(ui.choice({ label: "Trained by", options: names, change: take }));
    }
    ui.add(moving, ui.state, panes);
    take(data.sweeps[0].name);
  }

  const looks = document.createElement("style");
  looks.textContent = style;
  document.head.append(looks);
  LrFigure.register("sweep", draw, { result, words, nearest });
})();
