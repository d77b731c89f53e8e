"""Public holidays as inputs that are known ahead, as a run keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Days before and after a holiday that are told from others: people leave earlier, and come back later.
_AROUND = (1, 2)


@dataclass(frozen=True)
class PublicHolidays:
    """The days of holidays by their names.

    Args:
        names: What each is called.
        days: The days of each in ISO 8601, ascending.
        others: Days of holidays that come too seldom in the rows to be learned by their names.
    """

    names: tuple[str, ...]
    days: tuple[tuple[str, ...], ...]
    others: tuple[str, ...] = ()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the K features, in the order of `features`."""
        around = [f"{days} day{'s' * (days > 1)} {side} a holiday" for side in ("before", "after") for days in _AROUND]
        return (*self.names, "any holiday", *around)

    @property
    def by_name(self) -> dict[str, tuple[str, ...]]:
        """The days of each holiday, and of those without a name of their own under an empty one."""
        return dict(zip((*self.names, ""), (*self.days, self.others), strict=True))

    def features(self, days: NDArray[np.datetime64]) -> NDArray[np.float64]:
        """Whether each of these days [...] is each of the holidays, any of them, or lies shortly before or after one.

        Returns:
            0 or 1, [..., K].
        """
        import numpy as np

        named = [np.array(days_of, "datetime64[D]") for days_of in self.days]
        every = np.concatenate([*named, np.array(self.others, "datetime64[D]")])
        flags = [np.isin(days, days_of) for days_of in (*named, every)]
        flags += [np.isin(days + sign * distance, every) for sign in (1, -1) for distance in _AROUND]
        return np.stack(flags, axis=-1).astype(np.float64)
