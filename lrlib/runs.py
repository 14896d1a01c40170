"""The record of a sweep: what every lane did and came to, how it was made, and the learning rate that it chose."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lrlib._modules import from_extra

with from_extra("sweep"):
    import xarray as xr

from lrlib import _checks
from lrlib._record import Record, readable
from lrlib.streams import stream


class Runs(xr.Dataset):
    """What :func:`lrlib.sweep.sweep` returns: an ``xarray.Dataset`` that can choose, draw and save itself.

    Its dimensions are ``learning_rate``, ``seed``, ``step`` and, where a second scalar was swept, one of that name
    between the first two. A variable ``done`` (learning_rate[, name], seed) is False for lanes that are not trained
    yet: their values are NaN, and they have not failed. Without it all are done.

    The attributes say how the record was made: ``model``, ``optimizer``, ``schedule``, ``data``, ``batch_size``,
    ``constant_loss`` (NaN where it is unknown), and the versions of what made it. They are what JSON can hold, and
    stand in the file as one text.

    Notes
    -----
    What selects, sorts, renames or reduces gives runs again: ``sel``, ``isel``, ``sortby``, ``transpose``, ``assign``,
    ``mean``, ``xarray.concat``. What computes every value anew gives a plain Dataset, ``where`` and arithmetic among
    them; ``Runs(values.data_vars, values.coords, values.attrs)`` makes runs of it. :func:`best_rate` takes both.
    """

    __slots__ = ()

    def reduce(self, *args, keep_attrs: bool | None = None, **how):
        """Reduce as ``xarray.Dataset.reduce`` does, and keep the attributes, as xarray itself does since 2025.11."""
        if keep_attrs is None and xr.get_options()["keep_attrs"] == "default":
            keep_attrs = True
        return super().reduce(*args, keep_attrs=keep_attrs, **how)

    def best(self, measure: str = "validation_loss") -> "BestRate":
        """Choose the learning rate: :func:`best_rate` of these runs.

        Parameters
        ----------
        measure : str
            As there.

        Returns
        -------
        BestRate
        """
        return best_rate(self, measure)

    def sensitivity(self, measure: str = "validation_loss", decades: float = 3.0) -> float:
        r"""Return how much is lost, on average, by a rate that is not the best: the mean regret over some decades.

        .. math:: \frac{1}{D} \int_{\lg \eta^* - D/2}^{\lg \eta^* + D/2}
            \left( \frac{1}{S} \sum_{s=1}^{S} \min(\ell_s(\eta), \ell_0) - \ell^* \right) d \lg \eta

        Here :math:`\eta^*` is the best rate, :math:`\ell^*` its mean loss, :math:`D` the decades, :math:`S` the number
        of seeds. :math:`\ell_0` is the loss of the best constant prediction, or the lane's own first loss where that is
        unknown: no run counts for more, and one that failed for just that. Between two rates the mean is
        taken as linear in the logarithm (the trapezoid rule), so a grid may be uneven.

        Parameters
        ----------
        measure : {"validation_loss", "train_loss"}
            The loss.
        decades : float
            The width of the range around the best rate, which is its middle.

        Returns
        -------
        float
            In units of the loss: 0 if every rate of the range is as good as the best.

        Raises
        ------
        TypeError, ValueError
            As :func:`best_rate`; if ``measure`` is no loss, ``decades`` is not positive, there is a second axis, or the
            sweep does not span the range.

        References
        ----------
        M. Wortsman et al.: Small-scale proxies for large-scale Transformer training instabilities, 2023, section 2.2,
        https://arxiv.org/abs/2309.14322. There the range is fixed, and :math:`\ell_0` is the loss before training.
        """
        decades = _checks.positive("decades", decades)
        if not str(measure).endswith("_loss"):
            raise ValueError(f"measure must be a loss, got {measure!r}")
        runs, losses, axis = _by_rate(self, measure)
        rates = runs.learning_rate.values
        if axis:
            raise ValueError(f"runs must have one value of {axis}, got all: choose one with sel({axis}=…)")
        best = best_rate(self, measure).learning_rate
        low, high = best * 10 ** (-decades / 2), best * 10 ** (decades / 2)
        if low < rates[0] * (1 - 1e-9) or high > rates[-1] * (1 + 1e-9):
            raise ValueError(f"learning_rates must go from {low:.2g} to {high:.2g}, got {rates[0]:g} to {rates[-1]:g}")
        if np.isnan(most := self.attrs.get("constant_loss", np.nan)):
            if "loss" not in runs or 0 not in runs.step:
                raise ValueError("runs must have the loss of step 0, which stands for the best constant prediction")
            most = runs.loss.sel(step=0).transpose("learning_rate", "seed").values
        means = np.minimum(losses[:, 0], most).mean(axis=1)
        points = np.log10([low, *rates[(rates > low) & (rates < high)], high])
        regret = np.interp(points, np.log10(rates), means - means[rates == best])
        return float(np.trapezoid(regret, points) / decades)

    def weights(self) -> list[np.ndarray]:
        """Return the weights of the best run, for ``model.set_weights``, if the sweep was told to keep them.

        Returns
        -------
        list of numpy.ndarray
            Those of the run with the lowest loss in validation, in the order of ``model.get_weights()``. Of all runs of
            the sweep it is one, which ``weights_kept`` tells, also where only some of them are left.

        Raises
        ------
        ValueError
            If the record has none, or their run is not among those that are left.
        """
        names = [name for name in self.data_vars if is_weight(name)]
        if not names:
            raise ValueError(
                "runs must have been made with weights=True, which keeps those of the best run that has not failed"
            )
        kept = self.weights_kept.fillna(False).astype(bool) if "weights_kept" in self else ~self.failed.astype(bool)
        if not kept.any():
            raise ValueError("runs must have the run whose weights were kept, but it is not one of these")
        losses = self.validation_loss.where(kept, np.inf).transpose(*kept.dims)
        best = dict(zip(kept.dims, np.unravel_index(losses.values.argmin(), losses.shape), strict=True))
        names.sort(key=lambda name: int(name[7:]))  # records that were joined may have weights each
        return [self[name].isel(best, missing_dims="ignore").values for name in names]

    def plot(self, kind: str | None = None, *, measure: str = "validation_loss", **how):
        """Draw the runs: the U, the loss curves of some rates, or the map over the rate and a second axis.

        Parameters
        ----------
        kind : {"u", "curves", "map"}
            :func:`lrlib.plot.u_shape`, :func:`lrlib.plot.curves` or :func:`lrlib.plot.heat_map`; by default the map if
            there is a second axis, else the U.
        measure : str
            What to draw, or by what a curve's rate is too small or too large.
        **how
            What that function takes besides: ``rates=[0.01, 0.1]``.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            If ``kind`` is another, or ``measure`` nothing that a run has at its end; if there is a second axis and the
            map is not asked for, or none and it is; if one learning rate or one seed is left, without its dimension;
            and as these functions.
        """
        from lrlib import plot

        axis = _axis(self)
        if missing := {"learning_rate", "seed"} - set(self.failed.dims):
            got = f"got one {min(missing)}: isel({min(missing)}=[0]) keeps it"
            raise ValueError(f"runs must have several learning rates and seeds, {got}")
        kinds = {"map": plot.heat_map} if axis else {"u": plot.u_shape, "curves": plot.curves}
        kind = kind or next(iter(kinds))
        if kind not in kinds:
            raise ValueError(f"kind must be {' or '.join(kinds)} of these runs, got {kind!r}")
        return kinds[kind](self, measure=measure, **how)

    def save(self, path: str | Path) -> None:
        """Write the record to a NetCDF file, whole or not at all: a file of that name stays until the new one is ready.

        Parameters
        ----------
        path : str or path
            The file, ``"digits.nc"``. :func:`load` gives back what was saved, to the bit.

        Raises
        ------
        TypeError
            If an attribute is nothing that JSON has: a text, a number, a list or a dictionary of them.
        ValueError
            If ``path`` is a folder, or lies in none that exists.
        """
        path = _checked("path", path)
        if path.is_dir() or not path.parent.is_dir():
            raise ValueError(f"path must be a file in a folder that exists, got {str(path)!r}")
        unfinished = path.with_name(f".{path.name}.unfinished")
        for name, value in self.attrs.items():
            try:
                json.dumps(value)
            except (TypeError, ValueError) as error:
                must = f"attrs[{name!r}] must be a text, a number, a list or a dictionary of them"
                raise TypeError(f"{must}, got {value!r}: {error}") from None
        record = Runs(self.data_vars, self.coords, {"lrlib": json.dumps(self.attrs)}).drop_encoding()
        as_it_is = {name: {"_FillValue": None} for name in self.variables}  # or the bits of a NaN would change
        try:
            record.to_netcdf(unfinished, engine="h5netcdf", encoding=as_it_is)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def load(path: str | Path) -> Runs:
    """Read what :meth:`Runs.save` wrote.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    Runs
        Equal to what was saved: values, their types, coordinates and attributes.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is a folder, not whole, or no sweep.

    Examples
    --------
    >>> load("no-such-sweep.nc")
    Traceback (most recent call last):
        ...
    FileNotFoundError: path must be a file that Runs.save wrote, got 'no-such-sweep.nc', which does not exist
    """
    path = _checked("path", path)
    must = f"path must be a file that Runs.save wrote, got {str(path)!r}"
    if not path.exists():
        raise FileNotFoundError(f"{must}, which does not exist")
    try:
        saved = xr.load_dataset(path, engine="h5netcdf", mask_and_scale=False).drop_encoding()
    except Exception as error:  # what HDF5 says of a damaged file has many types
        raise ValueError(f"{must}, which cannot be read: {error}") from error
    if "lrlib" not in saved.attrs:
        raise ValueError(f"{must}, which is no sweep")
    try:
        attrs = dict(json.loads(saved.attrs["lrlib"]))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{must}, whose attributes cannot be read: {error}") from error
    return Runs(saved.data_vars, saved.coords, attrs)


def _checked(name: str, path) -> Path:
    """Return a path as one, where there is what reads and writes it."""
    with from_extra("sweep"):
        import h5netcdf  # noqa: F401
        import h5py  # noqa: F401
    try:
        return Path(path)
    except TypeError:
        raise TypeError(f"{name} must be a text or a path, got {path!r}") from None


@dataclass(frozen=True, eq=False)
class BestRate(Record):
    """The learning rate that a sweep chose; ``print(best)`` shows it in one line.

    Attributes
    ----------
    learning_rate : float
        The rate with the best mean over the seeds.
    index : int
        Its position: ``runs.isel(learning_rate=best.index)``.
    low, high : float
        The ends of the valley around it, in which every mean lies within 10 % of the best.
    interval_low, interval_high : float
        Where other seeds might have put the best rate: the seeds are drawn again, with replacement, 1000 times, and the
        middle nine tenths of the rates with the lowest mean lie in it. Rates of the grid; NaN if there is one seed.
    axis, value : str and object
        The name of the second axis and its value at the best; ``""`` and None if there is none.
    on_edge : bool
        Whether that value is the lowest or the highest of several numbers, so that a better one may lie outside.
    """

    learning_rate: float
    index: int
    low: float
    high: float
    interval_low: float = np.nan
    interval_high: float = np.nan
    axis: str = ""
    value: object = None
    on_edge: bool = False

    @property
    def width(self) -> float:
        """The width of the valley as a factor, which is its highest rate over its lowest."""
        return self.high / self.low

    def __str__(self):
        interval = f" ({self.interval_low:.2g}–{self.interval_high:.2g})" if self.interval_low > 0 else ""
        axis = f", {self.axis} {readable(self.value)}{', on the edge' * self.on_edge}" if self.axis else ""
        chosen = f"best rate {self.learning_rate:.2g}{interval}"
        return f"{chosen}, valley {self.low:.2g}–{self.high:.2g}, ×{self.width:.2g}{axis}"


def best_rate(runs: xr.Dataset, measure: str = "validation_loss") -> BestRate:
    """Choose the learning rate of a sweep, on data that nothing was trained on.

    A run that failed counts as infinitely bad, so a rate under which one seed of eight failed is never chosen. Where a
    second axis was swept, the best pair is chosen, and the valley is that of its value.

    Parameters
    ----------
    runs : Runs or xarray.Dataset
        What :func:`lrlib.sweep.sweep` returned, or some of its seeds: ``runs.sel(seed=[0, 1, 2])``. Rates and seeds
        that ``where`` has left out count as not tried.
    measure : {"validation_loss", "validation_accuracy", "train_loss", "train_accuracy"}
        What to choose by: the mean over the seeds. A loss is best where it is lowest, an accuracy where the share of
        errors is. If two rates are equally good it is the smaller one.

    Returns
    -------
    BestRate
        The rate, its position, the interval over the seeds and the valley around it.

    Raises
    ------
    TypeError
        If ``runs`` is no Dataset.
    ValueError
        If there is no such measure, or it is of the test part, which is for reporting; if lanes are not trained yet, or
        seeds are missing under some rates, as in sweeps that were joined; if a rate is there twice; if the best rate is
        the lowest or the highest that was tried, so that a better one may lie outside; if every rate has a run that
        failed.

    Examples
    --------
    >>> losses = [[3.0, 3.0], [1.0, 2.0], [1.6, 1.5], [9.0, 9.0]]
    >>> rates, table = [0.001, 0.01, 0.1, 1.0], ("learning_rate", "seed")
    >>> values = {"validation_loss": (table, losses), "failed": (table, [[False] * 2] * 4)}
    >>> print(best_rate(Runs(values, {"learning_rate": rates, "seed": [0, 1]})))
    best rate 0.01 (0.01–0.1), valley 0.01–0.1, ×10
    """
    chosen_from, values, axis = _by_rate(runs, measure)
    rates = chosen_from.learning_rate.values
    means, seeds = values.mean(axis=2), values.shape[2]
    best, at = np.unravel_index(means.argmin(), means.shape)
    if not (usable := np.isfinite(means)).any():
        raise ValueError("learning_rates must have one under which no run failed, but each had a failed run")
    rate = float(rates[best])
    if best in (0, len(rates) - 1):
        side = f"lowest and best: try {rate / 10:g}" if best == 0 else f"highest and best: try {rate * 10:g}"
        raise ValueError(f"learning_rates must go on beyond {rate:g}, the {side}, since a better one may lie outside")
    drawn = stream(0, "interval of the best rate").multinomial(seeds, np.full(seeds, 1 / seeds), 1000)
    found = rates[usable.nonzero()[0][(drawn @ values[usable].T).argmin(axis=1)]]
    interval = np.quantile(found, [0.05, 0.95], method="inverted_cdf") if seeds > 1 else [np.nan] * 2
    outside = np.flatnonzero(means[:, at] > means[best, at] + 0.1 * abs(means[best, at]))
    low, high = outside[outside < best].max(initial=-1) + 1, outside[outside > best].min(initial=len(rates)) - 1
    ends = map(float, [rates[low], rates[high], *interval])
    tried = chosen_from[axis].values if axis else np.array([None])
    on_edge = len(tried) > 1 and tried.dtype.kind in "iuf" and tried[at] in (tried.min(), tried.max())
    index = runs.learning_rate.values.tolist().index(rate)
    return BestRate(rate, index, *ends, axis, tried.tolist()[at], bool(on_edge))


def _by_rate(runs, measure: str):
    """Return the runs by rising rates, a measure's values[rate, value of the second axis, seed], and that axis's name.

    The lower the better; infinity stands for a run that failed. The name is "" if there is no second axis.
    """
    if not isinstance(runs, xr.Dataset):
        raise TypeError(f"runs must be what sweep returned, got {runs!r}")
    known = [f"{part}_{what}" for part in ("validation", "train") for what in ("loss", "accuracy")]
    if measure not in known or measure not in runs:
        raise ValueError(f"measure must be one of {', '.join(n for n in known if n in runs)}, got {measure!r}")
    dims, axis = runs[measure].dims, _axis(runs)
    if not {"learning_rate", "seed"} <= set(dims):
        raise ValueError(f"runs must have several learning rates and seeds, got {', '.join(dims)}")
    there = runs.failed.notnull() & (runs.done.notnull() if "done" in runs else True)
    left = {dim: there.any({*there.dims} - {dim}).values for dim in there.dims}  # which where may have chosen
    runs, there = runs.isel(left), there.isel(left)
    rates = runs.learning_rate.values.tolist()
    if not rates:
        raise ValueError("runs must have at least one learning rate and one seed, got none")
    if bad := [rate for rate in rates if isinstance(rate, str) or not rate > 0]:
        raise ValueError(f"learning_rates must be positive numbers, got {bad[0]!r}")
    if repeated := [rate for rate in rates if rates.count(rate) > 1]:
        drop = "drop_duplicates('learning_rate') keeps the first"
        raise ValueError(f"learning_rates must all be different, got {repeated[0]:g} more than once: {drop}")
    if "done" in runs and (missing := int((~runs.done.fillna(True).astype(bool)).sum())):
        raise ValueError(f"runs must be done, but {missing} of {runs.done.size} are not: sweep(…, resume=runs) goes on")
    if missing := int((~there).sum()):
        choose = "sel(seed=[…]) chooses seeds that all have"
        raise ValueError(f"runs must have each seed under each learning rate, but {missing} are missing: {choose}")
    runs = runs.sortby(["learning_rate", axis] if axis and runs[axis].dtype.kind in "iuf" else "learning_rate")
    values = runs[measure].astype(float)
    values = 1 - values if measure.endswith("accuracy") else values
    lost = ~np.isfinite(values) | runs.failed.astype(bool)
    values = values.where(~lost, np.inf).transpose("learning_rate", ..., "seed").values
    return runs, values.reshape(len(values), -1, values.shape[-1]), axis


def is_weight(name: str) -> bool:
    """Whether a record calls one of the weights so that it keeps."""
    return name.startswith("weight_") and name[7:].isdigit()


def _axis(runs) -> str:
    """Return the name of the second axis, "" if there is none."""
    if "failed" not in runs:
        raise ValueError(f"runs must say which of them failed, got {', '.join(runs.data_vars)} without failed")
    others = [name for name in runs.failed.dims if name not in ("learning_rate", "seed")]
    if len(others) > 1:
        raise ValueError(f"runs must have one axis at most beside the learning rate, got {', '.join(others)}")
    return "".join(others)
