"""Which words a column of words has for a network: those of its training rows, and maybe none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Panel
from forecast.data.windows import Flags
from forecast.data.words import OFTEN_EMPTY, with_words
from forecast.errors import DataError
from forecast.tables.input import Notation


def decide_words(panel: Panel, training_rows: Flags, names: Sequence[str]) -> Panel:
    """The panel with columns of the numbers of words, which its training rows tell.

    Args:
        panel: What was read.
        training_rows: Which rows belong to the training span, [T].
        names: Columns; those that are no columns of words stay as they are.

    Raises:
        DataError: If one has no word in the training rows.
    """
    notation = []
    for name in names:
        if name not in panel.texts:
            continue
        text = panel.texts[name]
        of_training = np.where(training_rows, text.codes, -1)
        filled = _without_holes(panel, of_training)
        # Where words change in a series, or most cells have none, to have none says something: there is no campaign.
        is_empty = of_training[training_rows] < 0
        own = filled is of_training or bool(is_empty.mean() >= OFTEN_EMPTY)
        codes = (of_training if own else filled)[training_rows]
        words = sorted(text.words[code] for code in np.unique(codes[codes >= 0]))
        if not words:
            raise DataError(f"Column {name!r} holds no word in the training span.", "Leave it out.")
        words = [""] * bool((codes < 0).any()) + words
        notation.append(Notation(name, words=tuple(words), often_empty=own, numbered=True))
    return with_words(panel, notation)


def _without_holes(panel: Panel, codes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Codes [T] of words that never change in a series, holes filled with its word; others themselves."""
    lengths = np.diff(panel.offsets)
    starts, lengths = np.array(panel.offsets[:-1])[lengths > 0], lengths[lengths > 0]
    last = np.maximum.reduceat(codes, starts)
    first = np.minimum.reduceat(np.where(codes < 0, np.iinfo(codes.dtype).max, codes), starts)
    return codes if (first < last).any() else np.where(codes < 0, np.repeat(last, lengths), codes)
