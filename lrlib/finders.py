"""The learning-rate finders that people use, by name, each as it was published, so that they can be compared.

Every rule takes the same record, the rates of a range test and the raw losses of its batches, and does itself what it
does at home: its smoothing, its end, what it leaves out. It answers with a rate whatever the losses look like; NaN
stands only where it has too few of them to answer at all. :func:`lrlib.suggestion.suggest` is our own.
"""

import numpy as np

from lrlib import _checks


def valley(rates, losses) -> float:
    r"""Suggest a rate half-way down the longest fall: fastai's ``valley``, its default.

    The longest strictly falling subsequence of the losses has :math:`L` members and ends at position :math:`e`. The
    answer is the rate at :math:`e - L + \lfloor L / 3 \rfloor + \lfloor L / 6 \rfloor`; where no loss is below an
    earlier one, the first.

    Parameters
    ----------
    rates : array_like, shape (n,)
        Positive and rising: the rates that the test was to try, also where it stopped early.
    losses : array_like, shape (n,)
        Raw losses; NaN or infinite from where the test stopped.

    Returns
    -------
    float
        One of the rates; NaN if fewer than two losses are left.

    Raises
    ------
    ValueError
        If the two differ in length, or the rates are not positive and rising.

    Notes
    -----
    All of fastai's rules read the mean of the losses so far, with weights that fall by 0.98 from batch to batch, until
    it is above four times its lowest value. They leave out a tenth of the planned rates at the start, and five at the
    end.

    References
    ----------
    fastai 2, ``fastai/callback/schedule.py``, https://github.com/fastai/fastai

    Examples
    --------
    >>> rates = np.geomspace(1e-4, 1, 41)
    >>> print(round(valley(rates, 1 / (1 + 100 * rates)), 4))
    0.0063
    """
    rates, losses = _fastai_s(rates, losses)
    if len(losses) < 2:
        return np.nan
    lengths = np.ones(len(losses), int)
    for i in range(1, len(losses)):
        lengths[i] += lengths[:i][losses[:i] > losses[i]].max(initial=0)
    end = int(lengths.argmax())
    length = int(lengths[end])
    begin = end - length if length > 1 else end  # where nothing falls, fastai's begin and end stay the first
    return float(rates[begin + length // 3 + length // 6])


def steep(rates, losses) -> float:
    r"""Suggest the rate at which the loss falls fastest on the axis of :math:`\log \eta`: fastai's ``steep``.

    It is :math:`\eta_i` with the smallest :math:`(L_{i+1} - L_i) / (\log \eta_{i+1} - \log \eta_i)`.

    Parameters
    ----------
    rates, losses : array_like, shape (n,)
        As in :func:`valley`, smoothed and cut as there.

    Returns
    -------
    float
        One of the rates; NaN if fewer than two losses are left.

    References
    ----------
    fastai 2, ``fastai/callback/schedule.py``, https://github.com/fastai/fastai

    Examples
    --------
    >>> rates = np.geomspace(1e-4, 1, 41)
    >>> print(round(steep(rates, 1 / (1 + 100 * rates)), 4))
    0.0316
    """
    rates, losses = _fastai_s(rates, losses)
    return float(rates[(np.diff(losses) / np.diff(np.log(rates))).argmin()]) if len(losses) > 1 else np.nan


def slide(rates, losses) -> float:
    """Suggest a rate from the right end, by fastai's ``slide``.

    Two fingers stand fifteen rates apart, the right one on the last rate. They slide to the left together for as long
    as the differences of the losses from rate to rate at the two differ by more than 0.005. The answer is the last rate
    on which the left one stood before they stopped.

    Parameters
    ----------
    rates, losses : array_like, shape (n,)
        As in :func:`valley`, smoothed and cut as there.

    Returns
    -------
    float
        One of the rates; NaN if fewer than sixteen losses are left.

    References
    ----------
    fastai 2, ``fastai/callback/schedule.py``, https://github.com/fastai/fastai

    Examples
    --------
    >>> rates = np.geomspace(1e-4, 1, 41)
    >>> print(round(slide(rates, 1 / (1 + 100 * rates)), 4))
    0.01
    """
    rates, losses = _fastai_s(rates, losses)
    if len(losses) < 16:
        return np.nan
    slopes = np.gradient(losses)
    far = np.abs(slopes[15:] - slopes[:-15]) > 0.005  # at each place of the left finger
    places = np.flatnonzero(~far)
    stands = int(places[-1]) + 1 if len(places) else 0
    return float(rates[min(stands, len(far) - 1)])


def minimum(rates, losses) -> float:
    """Suggest a tenth of the rate where the mean of the losses so far is lowest: fastai's ``minimum``.

    Parameters
    ----------
    rates, losses : array_like, shape (n,)
        As in :func:`valley`, smoothed and cut as there.

    Returns
    -------
    float
        NaN if no loss is left.

    References
    ----------
    fastai 2, ``fastai/callback/schedule.py``, https://github.com/fastai/fastai

    Examples
    --------
    >>> rates = np.geomspace(1e-4, 1, 41)
    >>> print(round(minimum(rates, 1 / (1 + 100 * rates)), 4))
    0.0316
    """
    rates, losses = _fastai_s(rates, losses)
    return float(rates[losses.argmin()] / 10) if len(losses) else np.nan


def torch_lr_finder(rates, losses) -> float:
    """Suggest the rate at which the loss falls fastest from rate to rate: the suggestion of ``torch-lr-finder``.

    It reads the mean of the losses so far, with weights that fall by 0.95 from batch to batch and the first loss in
    place of all before it, until it is above five times its lowest value, without the first ten and the last five. The
    slope at a rate is half of the difference between the losses to its right and left; the distance of the rates plays
    no part.

    Parameters
    ----------
    rates, losses : array_like, shape (n,)
        As in :func:`valley`.

    Returns
    -------
    float
        One of the rates; NaN if fewer than two losses are left.

    References
    ----------
    torch-lr-finder 0.2, ``torch_lr_finder/lr_finder.py``, https://github.com/davidtvs/pytorch-lr-finder

    Examples
    --------
    >>> rates = np.geomspace(1e-4, 1, 41)
    >>> print(round(torch_lr_finder(rates, 1 / (1 + 100 * rates)), 4))
    0.0501
    """
    rates, losses = _checks.recorded(rates, losses)
    means = losses.copy()
    for i in range(1, len(means)):
        means[i] = 0.05 * losses[i] + 0.95 * means[i - 1]
    rates, means = _until_diverged(rates, means, 5.0)
    rates, means = rates[10:-5], means[10:-5]
    return float(rates[np.gradient(means).argmin()]) if len(means) > 1 else np.nan


def lightning(rates, losses) -> float:
    r"""Suggest the rate at which the loss falls fastest on the axis of :math:`\eta` itself: PyTorch Lightning's.

    It reads :math:`\bar L_k = (1 - \beta) \sum_{i \le k} \beta^{k - i} L_i / (1 - \beta^{k + 1})` with
    :math:`\beta = 0.98` and :math:`k = 1, 2, \dots`, until it is above four times its lowest value, without the first
    ten and the last one. (With :math:`\beta^k` it would be a mean of the losses; so it begins at half of them.)

    Parameters
    ----------
    rates, losses : array_like, shape (n,)
        As in :func:`valley`.

    Returns
    -------
    float
        One of the rates; NaN if fewer than two losses are left.

    Notes
    -----
    On the axis of :math:`\eta` the smallest rates lie next to each other, so that a fall by chance is steep there.

    References
    ----------
    PyTorch Lightning 2, ``lightning/pytorch/tuner/lr_finder.py``, https://github.com/Lightning-AI/pytorch-lightning

    Examples
    --------
    >>> rates = np.geomspace(1e-4, 1, 41)
    >>> print(round(lightning(rates, 1 / (1 + 100 * rates)), 4))
    0.0032
    """
    rates, losses = _checks.recorded(rates, losses)
    rates, means = _until_diverged(rates, _fading_sum(losses) / (1 - 0.98 ** np.arange(2, len(losses) + 2)), 4.0)
    rates, means = rates[10:-1], means[10:-1]
    return float(rates[np.gradient(means, rates).argmin()]) if len(means) > 1 else np.nan


def lowest(rates, losses) -> float:
    """Suggest the rate of the lowest loss: the reading of the article, which holds a rate for an epoch.

    The losses are averaged over a twentieth of the planned rates to each side, which is over nothing where there are
    fewer than twenty. A test by epoch gives the mean over an epoch's batches for every rate.

    Parameters
    ----------
    rates, losses : array_like, shape (n,)
        As in :func:`valley`.

    Returns
    -------
    float
        One of the rates; NaN if no loss is left.

    Examples
    --------
    >>> rates = np.geomspace(1e-4, 1, 9)
    >>> print(round(lowest(rates, [2.0, 1.9, 1.5, 1.0, 0.5, 0.8, 9.0, np.nan, np.nan]), 4))
    0.01
    """
    reach = np.size(rates) // 20
    rates, losses = _checks.recorded(rates, losses)
    means = [losses[max(0, i - reach) : i + reach + 1].mean() for i in range(len(losses))]
    return float(rates[int(np.argmin(means))]) if len(means) else np.nan


def tenth_of_minimum(rates, losses) -> float:
    """Suggest a tenth of the rate of the lowest loss, a rule of thumb to keep away from where the loss bursts.

    Parameters
    ----------
    rates, losses : array_like, shape (n,)
        As in :func:`lowest`, of which it is a tenth.

    Returns
    -------
    float
        NaN if no loss is left.

    Examples
    --------
    >>> rates = np.geomspace(1e-4, 1, 9)
    >>> print(round(tenth_of_minimum(rates, [2.0, 1.9, 1.5, 1.0, 0.5, 0.8, 9.0, np.nan, np.nan]), 4))
    0.001
    """
    return lowest(rates, losses) / 10


RULES = {
    rule.__name__: rule
    for rule in (valley, steep, slide, minimum, torch_lr_finder, lightning, tenth_of_minimum, lowest)
}


def _fading_sum(losses):
    """Return at each place 0.02 times the sum of the losses so far, where each batch back counts 0.98 of the next."""
    sums, so_far = np.empty(len(losses)), 0.0
    for i, loss in enumerate(losses):
        sums[i] = so_far = 0.98 * so_far + 0.02 * loss
    return sums


def _until_diverged(rates, means, factor: float):
    """End after the first mean that is above so many times the lowest before it."""
    lowest = np.minimum.accumulate(means) if len(means) else means
    over = np.flatnonzero(means > factor * lowest)
    end = over[0] + 1 if len(over) else len(means)
    return rates[:end], means[:end]


def _fastai_s(rates, losses):
    """Return the rates and the means that fastai's rules read."""
    skipped = np.size(rates) // 10
    rates, losses = _checks.recorded(rates, losses)
    rates, means = _until_diverged(rates, _fading_sum(losses) / (1 - 0.98 ** np.arange(1, len(losses) + 1)), 4.0)
    return rates[skipped:-5], means[skipped:-5]
