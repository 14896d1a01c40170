"""Schedules of several parts: cycles, restarts, one cycle, and a plateau with a late decay."""

import math
from dataclasses import dataclass

import numpy as np

from lrlib import _checks
from lrlib.schedules.base import Constant, Schedule, between, of_a_float, parts, power, settle
from lrlib.schedules.composition import Join, whole_but_for_rounding
from lrlib.schedules.shapes import Ramp, anneal, checked_shape

MODES = ("triangular", "triangular2", "exp_range")


@dataclass(frozen=True)
class Triangular(Schedule):
    r"""Up and down between two rates, again and again: a cyclical learning rate.

    .. math::

        \begin{aligned}
        & \eta(t) = \eta_a + (\eta_b - \eta_a) \, \Lambda(t \bmod 2 S) \, g(t), \\
        & \Lambda(u) = 1 - |u / S - 1|
        \end{aligned}

    with :math:`g = 1` for ``"triangular"``, :math:`g = 2^{-\lfloor t / 2 S \rfloor}` for ``"triangular2"`` and
    :math:`g = \gamma^t` for ``"exp_range"``.

    Parameters
    ----------
    base_learning_rate, max_learning_rate : float
        The rates :math:`\eta_a` and :math:`\eta_b`, finite and not negative; the second is not the lower one.
    step_size : float
        The steps :math:`S` from the one to the other, half a cycle, positive and finite.
    mode : str
        ``"triangular"``, ``"triangular2"`` or ``"exp_range"``.
    gamma : float
        The factor :math:`\gamma` of each step for ``"exp_range"``, above 0 and at most 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be.

    References
    ----------
    Smith (2017). Cyclical learning rates for training neural networks. https://arxiv.org/abs/1506.01186

    Examples
    --------
    >>> Triangular(0.0, 0.1, step_size=2, mode="triangular2").planned(8)
    array([0.   , 0.05 , 0.1  , 0.05 , 0.   , 0.025, 0.05 , 0.025])
    """

    base_learning_rate: float
    max_learning_rate: float
    step_size: float
    mode: str = "triangular"
    gamma: float = 1.0

    def __post_init__(self):
        base = _checks.non_negative("base_learning_rate", self.base_learning_rate)
        highest = _checks.non_negative("max_learning_rate", self.max_learning_rate)
        if highest < base:
            raise ValueError(f"max_learning_rate must not be below base_learning_rate, {base!r}, got {highest!r}")
        if not isinstance(self.mode, str) or self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(map(repr, MODES))}, got {self.mode!r}")
        gamma = _checks.positive("gamma", self.gamma)
        if gamma > 1:
            raise ValueError(f"gamma must be at most 1, got {self.gamma!r}")
        step_size = _checks.positive("step_size", self.step_size)
        settle(self, base_learning_rate=base, max_learning_rate=highest, step_size=step_size, gamma=gamma)
        settle(self, mode=str(self.mode))

    def formula(self, step, xp=np):
        period = 2.0 * self.step_size
        cycle, left = parts(step, period, xp)
        height = 1.0 - abs(left / self.step_size - 1.0)
        if self.mode == "triangular2":
            height = height * power(0.5, cycle, xp)
        elif self.mode == "exp_range":
            height = height * self.gamma**step
        return anneal(self.base_learning_rate, self.max_learning_rate, height, "linear", xp)

    @property
    def range(self) -> tuple[float, float]:
        return self.base_learning_rate, self.max_learning_rate


@dataclass(frozen=True)
class CosineDecayRestarts(Schedule):
    r"""Cosine decays one after the other, each begun by a warm restart.

    .. math::

        \begin{aligned}
        & \eta(t) = \eta_1 + (\eta_0 m^i - \eta_1) \, \tfrac{1}{2} \left(1 + \cos \pi \frac{t - t_i}{T_i}\right), \\
        & T_i = T_0 \, k^i, \quad t_i = T_0 + \dots + T_{i - 1}
        \end{aligned}

    with :math:`i` the last cycle that has begun, :math:`t_i \le t`. A step on which a cycle begins has its full rate,
    where implementations that round a logarithm down give some of them the end. So a beginning that lies after a step
    by no more than a thousand-millionth of a cycle, which is rounding, counts as that step.

    Parameters
    ----------
    initial_learning_rate : float
        The peak :math:`\eta_0` of the first cycle, positive and finite.
    first_decay_steps : float
        Its length :math:`T_0` in steps, positive and finite.
    t_mul : float
        The factor :math:`k` from one length to the next, at least 1 and finite.
    m_mul : float
        The factor :math:`m` from one peak to the next, above 0 and at most 1. No peak is below the end.
    end_learning_rate : float
        The rate :math:`\eta_1` towards which each cycle falls, at least 0 and at most the first peak.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be.

    References
    ----------
    Loshchilov and Hutter (2017). SGDR: Stochastic gradient descent with warm restarts.
    https://arxiv.org/abs/1608.03983

    Examples
    --------
    >>> CosineDecayRestarts(0.1, first_decay_steps=2, t_mul=2, m_mul=0.5).planned(7).round(4)
    array([0.1   , 0.05  , 0.05  , 0.0427, 0.025 , 0.0073, 0.025 ])
    """

    initial_learning_rate: float
    first_decay_steps: float
    t_mul: float = 2.0
    m_mul: float = 1.0
    end_learning_rate: float = 0.0

    def __post_init__(self):
        initial = _checks.positive("initial_learning_rate", self.initial_learning_rate)
        end = _checks.at_most("end_learning_rate", self.end_learning_rate, "initial_learning_rate", initial)
        t_mul, m_mul = _checks.positive("t_mul", self.t_mul), _checks.positive("m_mul", self.m_mul)
        if t_mul < 1:
            raise ValueError(f"t_mul must be at least 1, got {self.t_mul!r}")
        if m_mul > 1:
            raise ValueError(f"m_mul must be at most 1, got {self.m_mul!r}")
        first = _checks.positive("first_decay_steps", self.first_decay_steps)
        if t_mul > 1 and first < 1e-290 * t_mul:
            least = f"at least {1e-290 * t_mul:g}, 1e-290 times t_mul, for float64 to hold the count of its cycles"
            raise ValueError(f"first_decay_steps must be {least}, got {self.first_decay_steps!r}")
        settle(self, initial_learning_rate=initial, first_decay_steps=first, t_mul=t_mul, m_mul=m_mul)
        settle(self, end_learning_rate=end, growth=t_mul - 1.0, log_of_growth=math.log1p(t_mul - 1.0))

    def formula(self, step, xp=np):
        first, growth = self.first_decay_steps, self.growth
        peak, end = self.initial_learning_rate, self.end_learning_rate
        elapsed = step / first
        if growth == 0:
            cycle, left = parts(step, first, xp)
            position = left / first
        elif xp is of_a_float:
            cycle = (math.log1p(elapsed * growth) / self.log_of_growth + 1e-9) // 1.0
            length = self.t_mul**cycle
            position = (elapsed - (length - 1.0) / growth) / length
            position = 0.0 if position < 0 else 1.0 if position > 1 else position
        else:
            cycle = self._cycle(elapsed, xp)
            length = power(self.t_mul, cycle, xp)
            position = between((elapsed - (length - 1.0) / growth) / length, 0.0, 1.0, xp)
        if self.m_mul != 1 and xp is of_a_float:
            peak *= self.m_mul**cycle
            peak = end if peak < end else peak
        elif self.m_mul != 1:
            peak = xp.maximum(peak * power(self.m_mul, cycle, xp), end)
        return anneal(peak, end, position, "cosine", xp)

    def _cycle(self, elapsed, xp):
        """Return the last cycle that has begun; one number where it is the same for a whole array."""
        if xp is np and np.size(elapsed) > 2:
            first, last = self._cycle(np.array([elapsed.min(), elapsed.max()]), xp)
            if first == last:
                return first
        return xp.floor(xp.log1p(elapsed * self.growth) / self.log_of_growth + 1e-9)

    @property
    def range(self) -> tuple[float, float]:
        return self.end_learning_rate, self.initial_learning_rate


@dataclass(frozen=True)
class _Composite(Schedule):
    """A schedule that is made of others: ``whole``, which is made once."""

    def formula(self, step, xp=np):
        return self.whole.formula(step, xp)

    @property
    def range(self) -> tuple[float, float]:
        return self.whole.range


@dataclass(frozen=True)
class OneCycle(_Composite):
    r"""One rise and one long fall: the one-cycle policy.

    .. math::

        \begin{aligned}
        & \eta(t) = \text{anneal}(\eta_0, \eta_b, t / p) \text{ for } t < p, \\
        & \eta(t) = \text{anneal}(\eta_b, \eta_1, (t - p) / (N - p)) \text{ from then on}, \\
        & p = q N
        \end{aligned}

    Parameters
    ----------
    max_learning_rate : float
        The peak :math:`\eta_b`, positive and finite.
    total_steps : float
        The step :math:`N` at which the end is reached, positive and finite. PyTorch reaches its own at step
        :math:`N - 1`.
    pct_start : float
        The share :math:`q` of the steps in which the rate rises, above 0 and below 1.
    initial_learning_rate, end_learning_rate : float, optional
        The rates :math:`\eta_0` at step 0 and :math:`\eta_1` from step :math:`N` on, at least 0 and at most the peak;
        by default, as in PyTorch and optax, the peak / 25 and that / 10000.
    shape : str or float
        Of the rise and of the fall, as in :func:`anneal`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be.

    References
    ----------
    Smith and Topin (2019). Super-convergence. https://arxiv.org/abs/1708.07120

    Examples
    --------
    >>> OneCycle(0.5, total_steps=10, pct_start=0.4, end_learning_rate=0, shape="linear").planned(11).round(2)
    array([0.02, 0.14, 0.26, 0.38, 0.5 , 0.42, 0.33, 0.25, 0.17, 0.08, 0.  ])
    """

    max_learning_rate: float
    total_steps: float
    pct_start: float = 0.3
    initial_learning_rate: float | None = None
    end_learning_rate: float | None = None
    shape: str | float = "cosine"

    def __post_init__(self):
        peak = _checks.positive("max_learning_rate", self.max_learning_rate)
        total, share = _checks.positive("total_steps", self.total_steps), _checks.positive("pct_start", self.pct_start)
        if share >= 1:
            raise ValueError(f"pct_start must be below 1, got {self.pct_start!r}")
        first = peak / 25 if self.initial_learning_rate is None else self.initial_learning_rate
        first = _checks.at_most("initial_learning_rate", first, "max_learning_rate", peak)
        last = first / 1e4 if self.end_learning_rate is None else self.end_learning_rate
        last = _checks.at_most("end_learning_rate", last, "max_learning_rate", peak)
        shape = checked_shape(checked_shape(self.shape, first, peak), peak, last)
        settle(self, max_learning_rate=peak, total_steps=total, pct_start=share, shape=shape)
        settle(self, initial_learning_rate=first, end_learning_rate=last)
        risen = whole_but_for_rounding("pct_start", share * total) if share * total else 0
        if not 0 < risen < total:
            raise ValueError(f"total_steps must be enough for a rise of {share!r} and a fall, got {self.total_steps!r}")
        parts = Ramp(first, peak, risen, shape), Ramp(peak, last, total - risen, shape)
        settle(self, whole=Join(parts, (risen,)))


@dataclass(frozen=True)
class WarmupStableDecay(_Composite):
    r"""A warmup, a plateau, and a decay over the last steps: WSD, also called a trapezoid.

    .. math::

        \begin{aligned}
        & \eta(t) = \eta_b \, t / W \text{ for } t < W, \\
        & \eta(t) = \eta_b \text{ for } W \le t < N - D, \\
        & \eta(t) = \text{anneal}(\eta_b, \eta_1, (t - N + D) / D) \text{ from then on}
        \end{aligned}

    Parameters
    ----------
    peak_learning_rate : float
        The rate :math:`\eta_b` of the plateau, positive and finite.
    total_steps : float
        The step :math:`N` at which the end is reached, positive and finite. A run of :math:`N` steps does not apply it.
    warmup_steps : float
        The length :math:`W` of the warmup, at least 0. Step 0 then has the rate 0.
    decay_steps : float, optional
        The length :math:`D` of the decay, positive; a fifth of all steps by default. Warmup and decay together are no
        longer than the whole.
    end_learning_rate : float
        The rate :math:`\eta_1` from step :math:`N` on, at least 0 and at most the plateau's.
    shape : str or float
        Of the decay, as in :func:`anneal`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be, or warmup and decay do not fit.

    References
    ----------
    Hu et al. (2024). MiniCPM. https://arxiv.org/abs/2404.06395; Hägele et al. (2024).
    Scaling laws and compute-optimal training beyond fixed training durations. https://arxiv.org/abs/2405.18392

    Examples
    --------
    >>> WarmupStableDecay(0.1, total_steps=8, warmup_steps=2, decay_steps=4).planned(9)
    array([0.   , 0.05 , 0.1  , 0.1  , 0.1  , 0.075, 0.05 , 0.025, 0.   ])
    """

    peak_learning_rate: float
    total_steps: float
    warmup_steps: float = 0.0
    decay_steps: float | None = None
    end_learning_rate: float = 0.0
    shape: str | float = "linear"

    def __post_init__(self):
        peak = _checks.positive("peak_learning_rate", self.peak_learning_rate)
        total = _checks.positive("total_steps", self.total_steps)
        up = _checks.non_negative("warmup_steps", self.warmup_steps)
        if up > total:
            raise ValueError(f"warmup_steps must not be more than total_steps, {total!r}, got {self.warmup_steps!r}")
        down = _checks.positive("decay_steps", total / 5 if self.decay_steps is None else self.decay_steps)
        if up + down > total * (1 + 1e-12):
            raise ValueError(
                f"warmup_steps and decay_steps together must not be more than total_steps, {total!r}, "
                f"got {up!r} and {down!r}"
            )
        end = _checks.at_most("end_learning_rate", self.end_learning_rate, "peak_learning_rate", peak)
        shape = checked_shape(self.shape, peak, end)
        settle(self, peak_learning_rate=peak, total_steps=total, warmup_steps=up, decay_steps=down)
        settle(self, end_learning_rate=end, shape=shape)
        risen = whole_but_for_rounding("warmup_steps", up) if up else 0
        falls = whole_but_for_rounding("decay_steps", total - down) if down < total else 0
        begins = [(0, Ramp(0.0, peak, risen))] if risen else []
        if risen < falls:
            begins.append((risen, Constant(peak)))
        falls = max(risen, falls)
        left = total - falls or down  # so that its clock is at its end at the step total
        begins.append((falls, Ramp(peak, end, left, shape)))
        settle(self, whole=Join([schedule for _, schedule in begins], [begin for begin, _ in begins[1:]]))
