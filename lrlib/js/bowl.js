/* Gradient descent on a parabola (one curvature) or on the map of a bowl (two): one rate for all axes. */
(() => {
  const SAME = 1e-9; // a rate this close to a border, as a share of it, is on the border

  /* The loss at a point, and the points of a run, in the order of operations of lrlib. */
  function loss(curvatures, point, minimum) {
    return point.reduce((sum, w, i) => sum + (curvatures[i] / 2) * (w - minimum[i]) ** 2, 0);
  }

  function path(curvatures, start, rate, steps, minimum = curvatures.map(() => 0)) {
    const points = [start];
    for (let step = 0; step < steps && points.at(-1).every(Number.isFinite); step++) {
      points.push(points.at(-1).map((w, i) => w - rate * (curvatures[i] * (w - minimum[i]))));
    }
    return points;
  }

  /* What every step does to the distance along an axis: it multiplies it by 1 - rate · curvature. */
  function behaviour(curvature, rate) {
    const share = rate * curvature;
    if (Math.abs(share - 1) < SAME) return "at once";
    if (Math.abs(share - 2) < SAME) return "round";
    return share < 1 ? "walks" : share < 2 ? "oscillates" : "diverges";
  }

  /* A run as {words, colour, losses, points}. */
  function judge({ curvatures, minimum, start, rate, steps }) {
    const points = path(curvatures, start, rate, steps, minimum);
    const losses = points.map((point) => loss(curvatures, point, minimum));
    const moved = curvatures.map((_, i) => i).filter((i) => start[i] !== minimum[i]);
    const [steep, flat] = moved.sort((i, j) => curvatures[j] - curvatures[i]);
    const run = (colour, words) => ({ colour, words, losses, points });
    if (steep === undefined) return run("right", "starts at the lowest point, and stays: the gradient is 0");
    const arrived = losses.at(-1) <= losses[0] / 1000;
    const does = behaviour(curvatures[steep], rate);
    const alone = flat === undefined || curvatures[flat] === curvatures[steep];
    const it = alone ? "" : "the steep axis ";
    const slow = alone ? does : behaviour(curvatures[flat], rate);
    if (does === "diverges") {
      const both = !alone && slow === "diverges";
      return run("failed", `${both ? "both axes diverge" : `${it}diverges`}: each jump is longer than the last`);
    }
    if (does === "round") return run("large", `${it}goes round for ever: each jump is as long as the last`);
    if (does === "at once" && alone) return run("right", "arrives in one step");
    if (does === "walks") return arrived ? run("right", "walks down, and arrives") : run("small", "crawls, and has not arrived");
    if (alone) return run(arrived ? "right" : "large", `oscillates, and ${arrived ? "arrives" : "has not arrived"}`);
    const far = Math.abs(1 - rate * curvatures[flat]) > Math.abs(1 - rate * curvatures[steep]);
    const colour = arrived ? "right" : far ? "small" : "large";
    const other = { walks: arrived || !far ? "walks" : "crawls", "at once": "arrives in one step", oscillates: "does, too" }[slow];
    const end = arrived ? ", and both arrive" : far ? "" : ", and has not arrived";
    if (does === "at once") return run(colour, `the steep axis arrives in one step, the flat one ${other}${end}`);
    return run(colour, far || arrived ? `the steep axis oscillates, the flat one ${other}${end}` : `the steep axis oscillates${end}`);
  }

  function draw(ui, data) {
    const { html, svg, brief } = ui;
    const axes = data.curvatures.length;
    const now = { ...data, curvatures: [...data.curvatures], start: [...data.start] };
    const steepest = () => Math.max(...now.curvatures);
    let seen = now.steps;
    let run;
    let clock;

    /* The picture: the start stands at three quarters of its width, and the map has one scale where that fits. */
    const reach = 1.3 * Math.max(Math.abs(data.start[0] - data.minimum[0]), 1e-9);
    const x = { min: data.minimum[0] - reach, max: data.minimum[0] + reach };
    const first = loss(data.curvatures, data.start, data.minimum);
    const plot = axes === 1 ? parabola() : map();
    function parabola() {
      const whole = (n) => Array.from({ length: 9 }, (_, i) => n * (i - 4)).filter((v) => v > x.min && v < x.max);
      const step = 10 ** Math.floor(Math.log10(reach)) / (reach < 2 * 10 ** Math.floor(Math.log10(reach)) ? 2 : 0.5);
      return ui.plot({
        height: 220, left: 34, bottom: 34, describe: "The loss over the weight w, and the run on it",
        x: { ...x, label: "weight w", ticks: whole(step) }, y: { min: -0.06 * first, max: 1.5 * first, label: "loss" },
      });
    }
    function map() {
      const height = Math.max((reach * 196) / 342, 1.3 * Math.abs(data.start[1] - data.minimum[1]));
      return ui.plot({
        height: 220, left: 17, right: 1, top: 2, bottom: 22, describe: "The map of the bowl, and the run on it",
        x: { ...x, label: "flat axis, curvature λ₁" }, y: { min: data.minimum[1] - height, max: data.minimum[1] + height, label: "steep axis, λ₂" },
      });
    }
    const decades = [-8, -4, 0, 4].map((power) => 10 ** (power + Math.round(Math.log10(first))));
    const quarters = [1, 2, 3, 4].map((i) => Math.round((i * now.steps) / 4));
    const curve = ui.plot({
      height: 100, left: 60, top: 6, bottom: 22, right: 12, describe: "The loss after each step",
      x: { min: 0, max: now.steps, ticks: { 0: "step 0", ...Object.fromEntries(quarters.map((v) => [v, v])) } },
      y: { min: decades[0] / 2, max: decades[3] * 5, log: true, label: "loss", ticks: decades },
    });
    const ground = svg("g", { stroke: "var(--pale)", "stroke-opacity": 0.5 });
    const lines = [plot, curve].map(() => ({
      line: svg("path", { class: "lr-line", style: "stroke-width: 1.5" }),
      dots: svg("path", { class: "lr-line", style: "stroke-width: 5; stroke-linecap: round" }),
      last: svg("circle", { r: 5, fill: "currentColor", stroke: "var(--ground)", "stroke-width": 1.5 }),
    }));
    plot.ground.append(ground);
    [plot, curve].forEach((pane, i) => pane.layer.append(...Object.values(lines[i])));

    function drawGround() {
      const [a, b] = data.minimum;
      if (axes === 1) {
        const xs = Array.from({ length: 81 }, (_, i) => x.min + ((x.max - x.min) * i) / 80);
        const ys = xs.map((w) => loss(now.curvatures, [w], data.minimum));
        return ground.replaceChildren(svg("path", { class: "lr-line", style: "stroke: var(--pale)", d: plot.path(xs, ys) }));
      }
      ground.replaceChildren(svg("rect", { width: 360, height: 220, fill: "var(--map)", stroke: "none" }));
      for (let i = 9; i > 0; i--) {
        const [rx, ry] = now.curvatures.map((curvature) => Math.sqrt((2 * first * (i / 6) ** 2) / curvature));
        ground.append(svg("ellipse", {
          fill: "var(--small)", "fill-opacity": 0.07, cx: plot.X(a), cy: plot.Y(b), rx: plot.X(a + rx) - plot.X(a), ry: plot.Y(b) - plot.Y(b + ry),
        }));
      }
      ground.append(svg("path", { stroke: "var(--ink)", "stroke-width": 2, d: `M${plot.X(a) - 6} ${plot.Y(b)}h12m-6-6v12` }));
    }

    function drawRun() {
      const shown = run.points.slice(0, seen + 1);
      const heights = shown.map((_, i) => Math.max(run.losses[i], 1e-300));
      const across = shown.map((point) => point[0]);
      const drawn = [[across, axes === 1 ? heights : shown.map((point) => point[1])], [shown.map((_, i) => i), heights]];
      [plot, curve].forEach((pane, i) => {
        const d = pane.path(...drawn[i]);
        lines[i].line.setAttribute("d", d);
        lines[i].dots.setAttribute("d", d.replaceAll("L", "M").replace(/M[^M]+/g, "$&h0"));
        const [cx, cy] = d.match(/[^ML]+ [^ML]+$/)[0].split(" ");
        lines[i].last.setAttribute("cx", cx);
        lines[i].last.setAttribute("cy", cy);
        pane.layer.style.color = `var(--${run.colour})`;
      });
      const taken = shown.length - 1;
      const where = `loss after ${taken} ${taken === 1 ? "step" : "steps"} ${brief(run.losses[taken])}`;
      ui.say(`lr ${brief(now.rate, 3)}: ${seen < now.steps ? "" : `${run.words}; `}${where}`);
      step.disabled = again.disabled = false;
      if (seen === 0) again.disabled = true;
    }

    function start(x, y) {
      const round = (v) => Math.round(v * 20) / 20;
      const inside = (v, axis, pane) => {
        const [low, high] = [pane.from(axis === 0 ? pane.edge[0] : pane.edge[1]), pane.from(axis === 0 ? pane.edge[1] : pane.edge[0])];
        return Math.min(high, Math.max(low, v));
      };
      now.start = [x, y].slice(0, axes).map((v, i) => round(inside(v, i, i === 0 ? plot.X : plot.Y)));
      change();
    }
    plot.X.edge = [40, 346];
    plot.Y.edge = [16, 184];
    const handle = ui.handle({ plot, label: "Start of the run:", nudge: [reach / 20, reach / 20], move: start });

    function change() {
      stop();
      seen = now.steps;
      run = judge(now);
      handle.place(now.start[0], axes === 1 ? run.losses[0] : now.start[1], `${now.start.map((w) => brief(w, 3)).join(", ")}. The arrow keys move it.`);
      const share = (i) => rate.from(i / 100);
      const zones = Array.from({ length: 101 }, (_, i) => judge({ ...now, rate: share(i) }).colour);
      const stops = zones.map((colour, i) => `var(--${colour}) calc(12px + ${i / 100} * (100% - 24px))`);
      const kept = stops.filter((_, i) => i === 0 || i === 100 || zones[i] !== zones[i - 1] || zones[i] !== zones[i + 1]);
      rate.track = `linear-gradient(90deg, ${kept.join(", ")})`;
      const name = axes === 1 ? "λ" : now.curvatures[1] >= now.curvatures[0] ? "λ₂" : "λ₁";
      rate.marks = [[1 / steepest(), `1/${name}`], [2 / steepest(), `2/${name}`]];
      drawRun();
    }

    const rate = ui.slider({
      label: "Learning rate", min: 0.1 / steepest(), max: 4 / steepest(), value: now.rate, log: true, digits: 3,
      format: (v) => brief(v, 3), change: (v) => { now.rate = v; change(); },
    });
    const names = axes === 1 ? ["Curvature λ"] : ["Curvature λ₁", "Curvature λ₂"];
    const curvatures = data.curvatures.map((curvature, i) => ui.slider({
      label: names[i], min: curvature / (i === axes - 1 ? 2 : 4), max: curvature * (i === axes - 1 ? 3 : 4), value: curvature,
      log: true, steps: 60, digits: 2, change: (v) => { now.curvatures[i] = v; drawGround(); change(); },
    }));

    /* Step by step */
    function stop() {
      clearInterval(clock);
      clock = undefined;
      play.textContent = "Play";
    }
    function forward() {
      seen = seen >= now.steps ? 1 : seen + 1;
      drawRun();
      if (seen >= now.steps) stop();
    }
    const play = ui.button("Play", () => {
      if (clock) return stop();
      if (ui.still) return change(); // who wants no motion sees the whole path at once
      seen = seen >= now.steps ? 0 : seen;
      drawRun();
      play.textContent = "Pause";
      clock = setInterval(() => (ui.host.isConnected ? forward() : stop()), 120);
    });
    const step = ui.button("Step", () => { stop(); forward(); });
    const again = ui.button("Start again", () => { stop(); seen = 0; drawRun(); });

    ui.add(plot.box, ui.state);
    ui.row(rate);
    ui.row(play, step, again);
    ui.add(curve.box);
    ui.row(...curvatures);
    drawGround();
    change();
  }

  LrFigure.register("bowl", draw, { path, loss, behaviour, judge });
})();
