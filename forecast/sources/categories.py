"""Columns of words. Those of few words are columns of 0 and 1: one for each word, named ``sky=fog``.

Those of more are kept as they are, and become numbers where a run learns them; see `forecast.data.words`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from forecast.data.panel import Floats
from forecast.data.words import OFTEN_EMPTY
from forecast.errors import quote
from forecast.tables.columns import MOST_WORDS
from forecast.tables.input import Notation
from forecast.tables.notation import is_missing

# In fewer rows for each word, words are names of rows rather than states that come back.
_FEWEST_ROWS = 4

# A column of more words is neither: embeddings of thousands of words need thousands of series.
_MOST_NUMBERED = 5_000


@dataclass(frozen=True)
class Categories:
    """Columns of words, of R rows.

    Args:
        names: K names such as ``sky=fog``.
        values: 1 where the column holds the word, else 0: float64 [R, K].
        texts: The words of X columns, sorted, by the column's name: those of few words, and those of more.
        codes: The index of each word among these, int32 [R, X]; -1 where there is none.
        notation: Which words each column is read as.
        learnable: Columns of more words, which a network learns where they are named: how many they hold, and as what.
        left_out: Columns of words that are not read, and why.
        notes: What was inferred, one sentence each.
        warnings: What could not be told, one counted sentence each.
    """

    names: tuple[str, ...]
    values: Floats
    texts: dict[str, tuple[str, ...]]
    codes: NDArray[np.int32]
    notation: tuple[Notation, ...]
    learnable: dict[str, str]
    left_out: dict[str, str]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def read_categories(
    texts: Mapping[str, pa.DictionaryArray], series: NDArray[np.int64], known: Mapping[str, Notation], averaged: bool
) -> Categories:
    """The indicators and the numbers of columns of words.

    Args:
        texts: Columns of words by name, [R].
        series: The number of the series of each row, [R]; a column that says no more than these is left out.
        known: The words that were read of the columns before, in other rows; other words are then 0 in all of them.
        averaged: Whether rows will be averaged, which words that change in a series cannot be.
    """
    names: list[str] = []
    values: list[Floats] = []
    kept: dict[str, tuple[str, ...]] = {}
    kept_codes: list[NDArray[np.int32]] = []
    notation, learnable, left_out, notes, warnings = [], {}, {}, [], []
    n_series = int(series.max()) + 1
    for name, cells in texts.items():
        found, codes = _coded(cells)
        n_missing = int(np.count_nonzero(codes < 0))
        pairs = np.unique(series * (len(found) + 1) + codes + 1)  # of a series and a word, or none
        of_words = pairs[pairs % (len(found) + 1) > 0] // (len(found) + 1)
        never_changes = len(np.unique(of_words)) == len(of_words)
        if len(found) <= _MOST_NUMBERED and (never_changes or not averaged):
            kept[name] = found
            kept_codes.append(codes)
        before = known.get(name, Notation(name))
        if before.numbered:
            notation.append(before)
            continue
        words, often_empty = before.words, before.often_empty
        if not words:
            if why := _is_no_category(found, len(codes), n_series, len(pairs), n_missing > 0):
                left_out[name] = why
                continue
            if len(found) > MOST_WORDS:
                part = "static" if never_changes else "known"
                learnable[name] = f"{len(found):,} words, {part}"
                left_out[name] = f"It holds {len(found):,} words, learned as an embedding where it is named as {part}."
                continue
            words, often_empty = found, n_missing >= OFTEN_EMPTY * len(codes)
        elif new := [word for word in found if word not in words]:
            n_rows = int(np.isin(codes, [found.index(word) for word in new]).sum())
            warnings.append(
                f"{quote(name)}: {', '.join(map(quote, new[:5]))} in {n_rows:,} row(s) was not seen before: "
                "0 in all of its columns."
            )
        holds = "1 word, read" if len(words) == 1 else f"{len(words)} words, each read"
        notes.append(f"{quote(name)} holds {holds} as a column of 0 and 1: {_listed(name, words)}.")
        if n_missing:
            are = "are 0" if often_empty else "are missing"
            warnings.append(f"{quote(name)}: {n_missing:,} cell(s) without a word {are} in all of its columns.")
        for word in words:
            names.append(f"{name}={word}")
            is_word = (codes == found.index(word) if word in found else np.zeros(len(codes), bool)).astype(np.float64)
            values.append(is_word if often_empty else np.where(codes < 0, np.nan, is_word))
        left_out[name] = f"It holds words, which are read as {_listed(name, words)}."
        notation.append(Notation(name, words=words, often_empty=often_empty))
    return Categories(
        names=tuple(names),
        values=np.column_stack(values) if values else np.zeros((len(series), 0)),
        texts=kept,
        codes=np.column_stack(kept_codes) if kept_codes else np.zeros((len(series), 0), np.int32),
        notation=tuple(notation),
        learnable=learnable,
        left_out=left_out,
        notes=tuple(notes),
        warnings=tuple(warnings),
    )


def _coded(cells: pa.DictionaryArray) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The words that stand in a column of R cells, sorted; and the index of each cell's word, [R], -1 for none."""
    words, codes = cells.dictionary.to_pylist(), cells.indices.to_numpy(zero_copy_only=False)
    missing = is_missing(cells.dictionary)
    found = tuple(sorted({words[code] for code in np.unique(codes) if not missing[code]}))
    index_of = {word: index for index, word in enumerate(found)}
    indices = [-1 if gone else index_of.get(word, -1) for word, gone in zip(words, missing, strict=True)]
    return found, np.array(indices, np.int32)[codes]


def _listed(name: str, words: tuple[str, ...]) -> str:
    return ", ".join(quote(f"{name}={word}") for word in words[:4]) + " …" * (len(words) > 4)


def _is_no_category(words: tuple[str, ...], n_rows: int, n_series: int, n_pairs: int, has_gaps: bool) -> str:
    """Why a column of these words, in some rows none, is no category; empty where it is one."""
    if len(words) > _MOST_NUMBERED:
        return f"It holds {len(words):,} different words, more than {_MOST_NUMBERED:,}."
    if len(words) < 2 and not (words and has_gaps):  # an event is named where there is one
        return "It holds the same word in all rows."
    if n_series == n_pairs == len(words):
        return "It says which series a row belongs to, and no more."
    if len(words) * _FEWEST_ROWS > (n_rows if n_pairs > n_series else n_series * _FEWEST_ROWS):
        return f"It holds {len(words)} words in {n_rows} rows: too few rows for each."
    return ""
