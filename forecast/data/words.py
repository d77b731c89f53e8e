"""Columns of words that a network learns as embeddings: each becomes a column of the numbers of its words.

A word that no training row holds has the number 0, as one that is not known: its meaning is nowhere to be learned from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.config import ReadOptions
from forecast.data.codes import with_codes
from forecast.data.panel import Panel
from forecast.errors import listed, quote
from forecast.tables.input import Notation

UNKNOWN = 0

# Words that a warning names.
_NAMED = 5

# Where this share of the cells holds no word, such a cell says something, too: there is no holiday.
OFTEN_EMPTY = 0.5


def with_words(panel: Panel, notation: Sequence[Notation]) -> Panel:
    """The panel with columns of the numbers of words, as a run knows them; the panel itself if it has them.

    Args:
        panel: What was read.
        notation: How the run's columns are written.
    """
    numbered = [own for own in notation if own.numbered and own.column in panel.texts]
    if not numbered:
        return panel
    columns, warnings = [], []
    for own in numbered:
        text = panel.texts[own.column]
        number_of = {word: number for number, word in enumerate(own.words, UNKNOWN + 1)}
        numbers = np.array([number_of.get(word, UNKNOWN) for word in (*text.words, "")])  # -1, no word, is the last
        codes = text.codes if own.often_empty else _filled(panel, text.codes)
        columns.append(numbers[codes].astype(np.float64))
        if unknown := [code for code in np.unique(text.codes) if code >= 0 and numbers[code] == UNKNOWN]:
            n_rows, named = int(np.isin(text.codes, unknown).sum()), [quote(text.words[code]) for code in unknown]
            warnings.append(
                f"{quote(own.column)}: {listed(named, _NAMED)} in {n_rows:,} row(s) stand in no training row: unknown."
            )
        if numbers[-1] == UNKNOWN and (n_rows := int((codes < 0).sum())):
            warnings.append(f"{quote(own.column)}: {n_rows:,} cell(s) hold no word, as no training row does: unknown.")
    taken = {own.column for own in numbered}
    before = [own for own in panel.read_options.get("notation", ()) if own.column not in taken]
    return replace(
        panel,
        values=np.column_stack([panel.values, *columns]),
        columns=panel.columns + tuple(own.column for own in numbered),
        texts={name: text for name, text in panel.texts.items() if name not in taken},
        left_out={name: why for name, why in panel.left_out.items() if name not in taken},
        read_options=panel.read_options | {"notation": (*before, *numbered)},
        warnings=(*panel.warnings, *warnings),
    )


def _filled(panel: Panel, codes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Codes [T] of words; holes are filled by the word before them in their series, the first by the one after."""
    if (codes >= 0).all():
        return codes
    words = pd.Series(np.where(codes < 0, np.nan, codes))
    series = np.repeat(np.arange(panel.n_series), np.diff(panel.offsets))
    return words.groupby(series).ffill().groupby(series).bfill().fillna(-1).to_numpy(codes.dtype)


def as_decided(panel: Panel, read: ReadOptions) -> Panel:
    """The panel as a run reads it: with the codes of missing values and the words that its training rows told."""
    return with_words(with_codes(panel, read.codes), read.notation)
