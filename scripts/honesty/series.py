"""Series of which it is known what can be forecast: each a function of a generator, a length and a season."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

from forecast.data.panel import Floats

Kind = Callable[[np.random.Generator, int, int], Floats]


def white_noise(rng: np.random.Generator, n: int, season: int) -> Floats:
    """Noise about a level, [n]: the mean is the best forecast."""
    return 50 + rng.normal(size=n)


def random_walk(rng: np.random.Generator, n: int, season: int) -> Floats:
    """A random walk, [n]: the last value is the best forecast."""
    return 100 + np.cumsum(rng.normal(size=n))


def mean_of_season(rng: np.random.Generator, n: int, season: int) -> Floats:
    """Noise about a mean of each step of the season, [n]: these means are the best forecast."""
    return 20 + np.resize(rng.normal(size=season), n) + rng.normal(size=n)


def moving_average(rng: np.random.Generator, n: int, season: int) -> Floats:
    """Noise that is carried on to the next step and no further, [n]: one step ahead something can be known."""
    return 50 + lfilter([1, 0.6], [1], rng.normal(size=n))


def wrong_season(rng: np.random.Generator, n: int, season: int) -> Floats:
    """A cycle with noise, of 5/7 of the season that the clock suggests, [n]."""
    return 20 + np.sin(2 * np.pi * np.arange(n) / (season * 5 / 7)) + rng.normal(0, 0.7, n)


def ar1(rng: np.random.Generator, n: int, season: int) -> Floats:
    """An autoregression that comes back to its level, with a coefficient of 0.8, [n]."""
    return 20 + lfilter([1], [1, -0.8], rng.normal(size=n + 200))[200:]


def ar2(rng: np.random.Generator, n: int, season: int) -> Floats:
    """An autoregression of two steps that swings about its level, a swing in some ten steps, [n]."""
    return 20 + lfilter([1], [1, -1.5, 0.85], rng.normal(size=n + 200))[200:]


def seasonal(rng: np.random.Generator, n: int, season: int) -> Floats:
    """A cycle of a height of its own and noise of half that height, [n]."""
    height = rng.uniform(1, 3)
    return 20 + height * np.sin(2 * np.pi * np.arange(n) / season) + rng.normal(0, height / 2, n)


def seasonal_ar1(rng: np.random.Generator, n: int, season: int) -> Floats:
    """A cycle and autocorrelated noise, [n]."""
    return 2 * np.sin(2 * np.pi * np.arange(n) / season) + ar1(rng, n, season)


def growing_variance(rng: np.random.Generator, n: int, season: int) -> Floats:
    """A cycle with autocorrelated noise, which grows to three times its size, [n]."""
    noise = lfilter([1], [1, -0.5], rng.normal(size=n))
    return 50 + 3 * np.sin(2 * np.pi * np.arange(n) / season) + np.linspace(0.5, 1.5, n) * noise


def counts(rng: np.random.Generator, n: int, season: int) -> Floats:
    """Poisson counts about a cycle, [n]."""
    return rng.poisson(np.exp(1 + 0.5 * np.sin(2 * np.pi * np.arange(n) / season))).astype(float)


def garch(rng: np.random.Generator, n: int, season: int) -> Floats:
    """An autoregression whose noise is calm and wild by turns, [n]."""
    shocks = rng.normal(size=n + 200)
    return 10 + lfilter([1], [1, -0.5], garch_sizes(shocks) * shocks)[200:]


def garch_sizes(shocks: Floats) -> Floats:
    """The standard deviations of a GARCH(1, 1) with these normal shocks, about 1, [n]."""
    variance, sizes = 1.0, np.empty(len(shocks))
    for step, shock in enumerate(shocks):
        sizes[step] = variance**0.5
        variance = 0.05 + 0.1 * variance * shock**2 + 0.85 * variance
    return sizes


def level_shift(rng: np.random.Generator, n: int, season: int) -> Floats:
    """An autoregression whose level rises by five of its standard deviations at 85 % of the rows, [n].

    With the usual shares that is a quarter into the test span.
    """
    noise = lfilter([1], [1, -0.5], rng.normal(size=n))
    return 20 + noise + 5 * noise.std() * (np.arange(n) >= shifts_at(n))


def shifts_at(n: int) -> int:
    """The row at which the level of `level_shift` rises."""
    return round(0.85 * n)


def intermittent(rng: np.random.Generator, n: int, season: int) -> Floats:
    """Demand of a spare part: nothing on nine days of ten, [n]."""
    return np.where(rng.random(n) < 0.1, 1 + rng.poisson(2, n), 0).astype(float)


def silent(rng: np.random.Generator, n: int, season: int) -> Floats:
    """A part that sells in the training rows only, and now and then again in the last fifth, [n]."""
    rate = np.where(np.arange(n) < 0.6 * n, 0.2, np.where(np.arange(n) < 0.8 * n, 0.0, 0.05))
    return np.where(rng.random(n) < rate, 1 + rng.poisson(2, n), 0).astype(float)
