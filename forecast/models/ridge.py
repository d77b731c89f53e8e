"""Ridge regression (Hoerl & Kennard 1970), from the sums that its windows add up to."""

from __future__ import annotations

import numpy as np

from forecast.data.panel import Floats

# The penalty, as a share of the mean variance of the inputs.
_PENALTY = 0.01


def solve_ridge(squares: Floats, products: Floats) -> Floats:
    """The map from inputs X [N, L] to outputs Y [N, H], [L, H].

    Args:
        squares: Xᵀ X, [L, L].
        products: Xᵀ Y, [L, H].
    """
    penalty = _PENALTY * np.trace(squares) / len(squares) + np.finfo(float).tiny
    return np.linalg.solve(squares + penalty * np.eye(len(squares)), products)
