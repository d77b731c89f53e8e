"""What was found inside a run, as sentences and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from forecast.commands.explain import sentences
from forecast.commands.explain.importance import Importance
from forecast.commands.explain.memory import Memory, gradient_reach
from forecast.data.panel import Clock, Floats
from forecast.data.prepare import Rows
from forecast.data.windows import Windows
from forecast.models.backends.numpy import Trace
from forecast.runs.run import Run


@dataclass(frozen=True)
class LookbackCheck:
    """How a network with the lookback that seems enough compares with the run's own.

    Args:
        figures: ``lookback``; where one was trained also ``mae`` by model, ``skill`` and ``p_value``.
        sentence: The same in words.
    """

    figures: Mapping[str, Any]
    sentence: str


@dataclass(frozen=True)
class Findings:
    """What was found inside a run.

    Args:
        run: The run.
        rows: The rows that its networks were fed.
        windows: Windows of these rows that they were not trained on.
        segment: Steps of the clock in one step of the cell.
        memories: What each layer of the model remembers.
        traces: What each layer of the model did with the newest of the windows.
        gradients: The norm of the gradient by lag, the newest step first, by network, [L].
        columns: The importance of each input.
        parts: The importance of each part of the lookback.
        check: Whether a shorter lookback would do; None if that was not asked.
    """

    run: Run
    rows: Rows
    windows: Windows
    segment: int
    memories: Sequence[Memory]
    traces: Sequence[Trace]
    gradients: Mapping[str, Floats]
    columns: Mapping[str, Importance]
    parts: Mapping[str, Importance]
    check: LookbackCheck | None = None

    @property
    def model(self) -> str:
        """The column of the run's model."""
        return self.run.config.network.model

    @property
    def clock(self) -> Clock:
        """The clock of the rows."""
        return self.rows.panel.clock

    @property
    def enough(self) -> int:
        """The newest steps in which nearly all of the model's gradient lies."""
        return gradient_reach(self.gradients[self.model], sentences.NEARLY_ALL)

    def sentences(self) -> list[str]:
        """What was found, in words."""
        found = [
            *(sentences.describe_memory(memory, self.clock, self.windows.lookback) for memory in self.memories),
            *(sentences.describe_gradient(name, norms, self.clock) for name, norms in self.gradients.items()),
            sentences.describe_lookback(self.gradients[self.model], self.clock),
            sentences.describe_importance(self.columns, self.parts),
        ]
        return found if self.check is None else [*found, self.check.sentence]

    def to_json(self) -> dict[str, Any]:
        """The content of explain.json."""
        shares = (0.5, sentences.MOST, sentences.NEARLY_ALL)
        return {
            "schema": 1,
            "run": self.run.name,
            "model": self.model,
            "freq": self.clock.freq,
            "lookback": self.windows.lookback,
            "windows": len(self.windows),
            "layers": [_memory_to_json(memory) for memory in self.memories],
            "gradient_by_lag": {name: norms.tolist() for name, norms in self.gradients.items()},
            "reach": {
                name: {f"{share:g}": gradient_reach(norms, share) for share in shares}
                for name, norms in self.gradients.items()
            },
            "importance": {
                "columns": {name: asdict(importance) for name, importance in self.columns.items()},
                "lookback": {name: asdict(importance) for name, importance in self.parts.items()},
            },
            **({} if self.check is None else {"check": dict(self.check.figures)}),
            "sentences": self.sentences(),
        }


def _memory_to_json(memory: Memory) -> dict[str, Any]:
    half_lives = None if memory.half_lives is None else [round(float(life), 3) for life in memory.half_lives]
    saturation = {gate: asdict(found) for gate, found in memory.saturation.items()}
    return {"layer": memory.layer, "half_lives": half_lives, "saturation": saturation, "dead_units": memory.dead_units}
