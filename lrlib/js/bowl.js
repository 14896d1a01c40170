/* Gradient descent on a bowl, one rate for two axes. */
LrFigure.register("bowl", (ui, data) => {
  ui.say(`A bowl with the curvatures ${data.curvatures.join(" and ")}.`);
});
