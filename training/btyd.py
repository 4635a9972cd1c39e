"""Buy-till-you-die models: the classic yardstick for repeat orders and customer lifetime value.

BG/NBD says how often a customer orders and when they silently stop: Fader, Hardie & Lee (2005),
"Counting Your Customers the Easy Way". Gamma-Gamma says what an order is worth: Fader & Hardie
(2013), "The Gamma-Gamma Model of Monetary Value". Where the data leave the likelihood flat or
rising for ever, an optimiser still returns numbers: every fit says if it is `identified`.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import digamma, gammaln, hyp2f1

FloatArray = NDArray[np.float64]
_ValueAndGradient = Callable[[FloatArray], tuple[float, FloatArray]]

# Parameters are searched between e^-9 and e^9, with time and money scaled to a mean of one: a fit
# at the edge has run off towards a limit (everyone alike, nobody leaves), not found a maximum.
_LOG_BOUND = 9.0
# Of a log parameter, in the direction the data say least of: a 95 % interval then spans e^8.
_LARGEST_STANDARD_ERROR = 2.0
_CONVERGED_GRADIENT = 1e-5  # per customer; a line search may fail at the very top, and does no harm
_ASIDE = 1e-6  # far enough from a removable singularity, near enough for its value


class NotIdentifiedWarning(UserWarning):
    """A prediction was asked of a fit that the data did not identify."""


@dataclass(frozen=True, eq=False)
class PurchaseHistory:
    """What the models need to know of each customer, one element per customer.

    Attributes:
        repeat_orders: Orders after the first one, whole numbers; x in the papers.
        btyd_recency_days: Days from first to last order, 0 without a repeat; t_x in the papers.
        age_days: Days from first order to the as-of moment; T in the papers.
        mean_repeat_spend: Mean amount of the repeat orders, 0 where there are none.
    """

    repeat_orders: FloatArray
    btyd_recency_days: FloatArray
    age_days: FloatArray
    mean_repeat_spend: FloatArray

    def __post_init__(self) -> None:
        """Convert to float arrays; raise ValueError for what cannot be a purchase history."""
        for name in (field.name for field in fields(self)):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, values)
            if values.ndim != 1 or values.shape != self.repeat_orders.shape:
                raise ValueError(f"{name} has shape {values.shape}: want one number per customer")
            if not np.all(np.isfinite(values) & (values >= 0)):
                raise ValueError(f"{name} must be finite and non-negative")
        if np.any(self.repeat_orders % 1):
            raise ValueError("repeat_orders must hold whole numbers")
        if np.any(self.btyd_recency_days > self.age_days):
            raise ValueError("btyd_recency_days must not exceed age_days")
        if np.any((self.btyd_recency_days + self.mean_repeat_spend)[self.repeat_orders == 0]):
            raise ValueError("recency and spend must be 0 for a customer without a repeat order")


@dataclass(frozen=True)
class BGNBD:
    """A fitted BG/NBD: orders are a Poisson process, and after any of them a customer may stop.

    Methods return one element per customer. They raise a ValueError for a horizon that is negative
    or not finite, and issue a NotIdentifiedWarning where it applies.

    Attributes:
        r, alpha: Shape and rate of the gamma distribution of order rates, time in `time_unit_days`.
        a, b: Shapes of the beta distribution of the chance to stop after an order.
        log_likelihood: At the maximum, with time measured in units of `time_unit_days`.
        identified, warning: Whether the data determine the parameters; if not, why.
        time_unit_days: The unit of `alpha`, in days.
    """

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float
    identified: bool
    warning: str | None
    time_unit_days: float = 1.0

    def probability_alive(self, history: PurchaseHistory) -> FloatArray:
        """Return the probability of not having stopped by the as-of moment; 1 without repeats."""
        if not self.identified:
            warnings.warn(str(self.warning), NotIdentifiedWarning, stacklevel=2)
        orders = history.repeat_orders
        age = self.alpha + history.age_days / self.time_unit_days
        last = self.alpha + history.btyd_recency_days / self.time_unit_days
        log_odds = np.log(np.maximum(self.b + orders - 1, self.b) / self.a)
        log_odds -= (self.r + orders) * np.log(age / last)
        return np.where(orders > 0, np.exp(-np.logaddexp(0.0, -log_odds)), 1.0)

    def probability_of_order(self, history: PurchaseHistory, horizon_days: float) -> FloatArray:
        """Return the probability of at least one order within the horizon.

        A customer can stop only right after an order, so one who is alive now keeps their rate
        until they order again. Given the history that rate is gamma distributed with shape r + x
        and rate alpha + T, and silence for t has the probability E[exp(-rate * t)]. Hence
        P(order) = P(alive) * (1 - ((alpha + T) / (alpha + T + t)) ** (r + x)).
        """
        shape, step = self.r + history.repeat_orders, self._relative_horizon(history, horizon_days)
        return self.probability_alive(history) * -np.expm1(-shape * np.log1p(step))

    def expected_orders(self, history: PurchaseHistory, horizon_days: float) -> FloatArray:
        """Return the expected number of orders within the horizon.

        The conditional expectation of Fader, Hardie & Lee (2005) after Euler's transformation of
        2F1, which takes x out of the two upper arguments: large x then loses no accuracy.
        """
        x, step = history.repeat_orders, self._relative_horizon(history, horizon_days)
        # Where one of these is whole, the closed form may be 0 / 0 or hyp2f1 overflow: step aside.
        delicate = np.array([self.a, self.a + self.b, self.a - self.r])
        a = self.a + 2 * _ASIDE * float(np.any(np.abs(delicate - np.rint(delicate)) < _ASIDE))
        c = a + self.b + x - 1
        # A huge `a` underflows one factor and overflows the other; their product is then nearly 0.
        with np.errstate(over="ignore", invalid="ignore"):
            rest = hyp2f1(a + self.b - 1 - self.r, a - 1, c, step / (1 + step))
            rest = np.nan_to_num(rest * (1 + step) ** (1 - a), posinf=0.0, neginf=0.0)
            if_alive = c / (a - 1) * (1 - rest)
        # One who never stops orders (r + x) * step times: nobody does better.
        return self.probability_alive(history) * np.clip(if_alive, 0.0, (self.r + x) * step)

    def _relative_horizon(self, history: PurchaseHistory, horizon_days: float) -> FloatArray:
        """Return t / (alpha + T), the horizon on the scale of the posterior order rate."""
        if not 0 <= horizon_days < np.inf:
            raise ValueError(f"horizon_days must be finite and non-negative, got {horizon_days}")
        return horizon_days / (self.alpha * self.time_unit_days + history.age_days)


@dataclass(frozen=True)
class GammaGamma:
    """A fitted Gamma-Gamma: amounts vary about a customer's own mean, and these means vary too.

    Attributes:
        p: Shape of the gamma distribution of a customer's order amounts.
        q, v: Shape and rate of the gamma distribution of their rates; v is in currency.
        observed_mean: Mean over repeat customers of `mean_repeat_spend`, NaN if there are none.
        identified, warning: Whether the data determine a population with a mean; if not, why.
    """

    p: float
    q: float
    v: float
    observed_mean: float
    identified: bool
    warning: str | None

    def expected_order_value(self, history: PurchaseHistory) -> FloatArray:
        """Return the expected mean amount of each customer's orders, in their currency.

        It lies between the customer's own mean and the population's, p * v / (q - 1), which is all
        there is to say of one without paid repeats (Fader & Hardie 2013). A fit that is not
        identified returns the customer's own mean, or for want of one `observed_mean`.
        """
        spend = history.mean_repeat_spend
        if not self.identified:
            return np.where(spend > 0, spend, self.observed_mean)
        orders = np.where(spend > 0, history.repeat_orders, 0.0)
        return self.p * (self.v + orders * spend) / (self.p * orders + self.q - 1)


def fit_bgnbd(history: PurchaseHistory, *, seed: int, time_unit_days: float = 1.0) -> BGNBD:
    """Fit BG/NBD by maximum likelihood, with `seed` choosing some of the starting points.

    Times are rounded to days (to fractions where nobody is 1,000 days old), and customers who then
    look alike count together. `alpha` and `log_likelihood` are in units of `time_unit_days`.

    Raises:
        ValueError: There is no customer, or the time unit is not positive and finite.
    """
    x = history.repeat_orders
    if not (x.size and 0 < time_unit_days < np.inf):
        raise ValueError("BG/NBD needs a customer and a positive, finite time unit")
    scale_days = float(np.mean(history.age_days)) or 1.0
    r, a, b = shapes = np.random.default_rng(seed).lognormal(size=(3, 5))
    shapes[:, :3] = [[0.25, 1.0, 5.0], [0.8, 1.0, 0.1], [2.5, 1.0, 2.0]]
    # A customer who never stops places r / alpha orders in the mean age.
    starts = np.column_stack([r, r / max(float(np.mean(x)), 0.01), a, b])
    evaluate = _bgnbd_log_likelihood(history, scale_days)
    parameters, value, doubts = _maximise(evaluate, ("r", "alpha", "a", "b"), starts, x.size)
    if not np.any(x):
        doubts.insert(0, "no customer has a repeat order")
    units = scale_days / time_unit_days
    # The likelihood is a density in the times of the orders, so it depends on their unit.
    value -= float(np.sum(x) * np.log(units))
    warning = f"BG/NBD is not identified: {'; '.join(doubts)}" if doubts else None
    r, alpha, a, b = (parameters * [1.0, units, 1.0, 1.0]).tolist()
    return BGNBD(r, alpha, a, b, value, not doubts, warning, time_unit_days)


def fit_gamma_gamma(history: PurchaseHistory) -> GammaGamma:
    """Fit Gamma-Gamma by maximum likelihood to the customers with a paid repeat order."""
    paid = history.mean_repeat_spend > 0
    x, spend = history.repeat_orders[paid], history.mean_repeat_spend[paid]
    if not x.size:
        reason = "Gamma-Gamma is not identified: no customer has a paid repeat order"
        return GammaGamma(np.nan, np.nan, np.nan, np.nan, False, reason)
    mean = float(np.mean(spend))
    starts = np.array([[6.0, 4.0, 0.5], [1.0, 2.0, 1.0], [20.0, 10.0, 0.45], [2.0, 6.0, 2.5]])
    evaluate = _gamma_gamma_log_likelihood(x, spend / mean)
    parameters, _, doubts = _maximise(evaluate, ("p", "q", "v"), starts, x.size)
    p, q, v = (parameters * [1.0, 1.0, mean]).tolist()
    if q <= 1:
        doubts.append("q <= 1, so the population has no mean")
    reason = f"Gamma-Gamma is not identified: {'; '.join(doubts)}; observed means take its place"
    return GammaGamma(p, q, v, mean, not doubts, reason if doubts else None)


def predict_spend(
    bgnbd: BGNBD, gamma_gamma: GammaGamma, history: PurchaseHistory, horizon_days: float
) -> FloatArray:
    """Return each customer's expected spend within the horizon, in their currency.

    Both models hold how often and how much to be independent. Raises as `BGNBD.expected_orders`.
    """
    return bgnbd.expected_orders(history, horizon_days) * gamma_gamma.expected_order_value(history)


def _bgnbd_log_likelihood(history: PurchaseHistory, scale_days: float) -> _ValueAndGradient:
    """Return the log-likelihood of Fader, Hardie & Lee (2005) as function of (r, alpha, a, b)."""
    steps_per_day = np.ceil(1000 / np.maximum(np.max(history.age_days), 1.0))
    times = np.round(np.vstack([history.btyd_recency_days, history.age_days]) * steps_per_day)
    rows = np.vstack([history.repeat_orders, times / (steps_per_day * scale_days)])
    (x, last, age), weight = np.unique(rows, axis=1, return_counts=True)
    # Special functions are slow, and depend on x alone, of which there are few distinct values.
    n, position = np.unique(x, return_inverse=True)
    customers = np.bincount(position, weights=weight)

    def evaluate(parameters: FloatArray) -> tuple[float, FloatArray]:
        r, alpha, a, b = parameters
        log_age, log_last = np.log(alpha + age), np.log(alpha + last)
        stayed = np.maximum(b + x - 1, b)
        log_gone = np.log(a / stayed) - (r + x) * log_last
        log_either = np.logaddexp(-(r + x) * log_age, np.where(x > 0, log_gone, -np.inf))
        alive = weight * np.exp(-(r + x) * log_age - log_either)
        gone = weight - alive
        counts = gammaln(r + n) - gammaln(r) + r * np.log(alpha)
        counts += gammaln(b + n) - gammaln(b) + gammaln(a + b) - gammaln(a + b + n)
        stops = digamma(a + b) - digamma(a + b + n)
        d_r = customers @ (digamma(r + n) - digamma(r) + np.log(alpha))
        d_r -= alive @ log_age + gone @ log_last
        d_alpha = np.sum(weight) * r / alpha
        d_alpha -= (r + x) @ (alive / (alpha + age) + gone / (alpha + last))
        d_a = customers @ stops + np.sum(gone) / a
        d_b = customers @ (stops + digamma(b + n) - digamma(b)) - np.sum(gone / stayed)
        return customers @ counts + weight @ log_either, np.array([d_r, d_alpha, d_a, d_b])

    return evaluate


def _gamma_gamma_log_likelihood(x: FloatArray, mean_spend: FloatArray) -> _ValueAndGradient:
    """Return that of Fader & Hardie (2013), but for a constant, as function of (p, q, v)."""

    def evaluate(parameters: FloatArray) -> tuple[float, FloatArray]:
        p, q, v = parameters
        shape, total = p * x, v + x * mean_spend
        share, rest = np.log(x * mean_spend / total), np.log(v / total)
        value = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * rest + shape * share
        both = digamma(shape + q)
        d_p = x @ (both - digamma(shape) + share)
        d_q = np.sum(both - digamma(q) + rest)
        return np.sum(value), np.array([d_p, d_q, np.sum(q / v - (shape + q) / total)])

    return evaluate


def _maximise(
    evaluate: _ValueAndGradient, names: tuple[str, ...], starts: FloatArray, customers: int
) -> tuple[FloatArray, float, list[str]]:
    """Climb from every start; return the best parameters, their value, and why to doubt them."""

    def loss(log_parameters: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = evaluate(np.exp(log_parameters))
        return -value / customers, -gradient * np.exp(log_parameters) / customers

    bounds = [(-_LOG_BOUND, _LOG_BOUND)] * len(names)
    climb = partial(minimize, loss, jac=True, method="L-BFGS-B", bounds=bounds, tol=1e-12)
    best = min(map(climb, np.log(starts)), key=lambda result: float(result.fun))
    at_edge = np.abs(best.x) > _LOG_BOUND - 0.1
    doubts = [f"{name} ran off to its bound" for name, at in zip(names, at_edge, strict=True) if at]
    if not (best.success or np.max(np.abs(best.jac)) < _CONVERGED_GRADIENT):
        doubts.append("the optimiser did not converge")
    steps = 1e-4 * np.eye(len(names))
    hessian = np.array([loss(best.x + step)[1] - loss(best.x - step)[1] for step in steps]) / 2e-4
    least_curvature = customers * np.linalg.eigvalsh((hessian + hessian.T) / 2)[0]
    if not least_curvature > _LARGEST_STANDARD_ERROR**-2:
        doubts.append("the likelihood is almost flat at its maximum")
    return np.exp(best.x), -float(best.fun) * customers, doubts
