"""The trials in their storage: drawn from the seed, held by one process each, and continued where they were left."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import optuna
import pytest

from forecast.commands.tune.outcome import importances
from forecast.commands.tune.space import Between, Choices
from forecast.commands.tune.study import TrialStore, caller_of, forget_study, is_begun, task_name
from forecast.commands.tune.study import error_of as error_of_trial
from forecast.errors import ConfigError, MachineError

SPACE: dict[str, Choices] = {"cell": ("lstm", "gru", "rnn"), "rate": Between(1e-3, 1e-1), "drop": Between(0, 0.5, 0.1)}
HERE = task_name("here now", 0)
DEFAULTS = {"cell": "lstm", "rate": 0.01, "drop": 0.3}


def store(folder: Path, address: str | None = None, search: str = "this", seed: int = 3) -> TrialStore:
    return TrialStore(folder, address, "months", search, SPACE, DEFAULTS, seed, epochs=4)


def error_of(trial: optuna.Trial) -> float:
    return {"lstm": 0.5, "gru": 0.3, "rnn": 0.9}[trial.params["cell"]] + abs(trial.params["rate"] - 0.02)


def search(trials: TrialStore, most: int) -> None:
    while True:
        with trials.next_trial(most, HERE) as trial:
            if trial is None:
                return
            trials.tell(trial, error_of(trial))


def lines(trials: TrialStore) -> list[object]:
    return [(trial.number, trial.params, trial.value, trial.state) for trial in trials.trials()]


def test_the_first_trial_is_the_defaults_and_ten_are_random_before_the_sampler(tmp_path: Path) -> None:
    one, other = store(tmp_path / "one"), store(tmp_path / "other")
    search(one, 14)
    assert one.trials()[0].params == DEFAULTS
    best = one.best()
    assert best is not None
    assert best.params["cell"] == "gru"
    for number in range(14):  # what the others found decides from the twelfth on
        with other.next_trial(None, HERE) as trial:
            assert trial is not None
            assert (trial.params == one.trials()[number].params) is (number < 11)
            other.tell(trial, -error_of(trial))


def test_a_study_that_is_opened_again_goes_on_as_it_would_have(tmp_path: Path) -> None:
    whole = store(tmp_path / "whole")
    search(whole, 16)
    for number in range(16):  # each time by another process, the last of which was killed at work
        cut = store(tmp_path / "cut")
        with cut.next_trial(None, HERE) as left:
            assert left is not None
            assert left.number == number
        with (tmp_path / "cut/journal.log").open("ab") as journal:
            journal.write(b'{"op_code": 6, "tri')  # and at a line
        cut = store(tmp_path / "cut")
        assert cut.hand_over("here", "here again") == 1
        with cut.next_trial(None, task_name("here again", 0)) as trial:
            assert trial is not None
            assert (trial.number, trial.params) == (number, left.params)
            cut.tell(trial, error_of(trial))
    assert lines(cut) == lines(whole)


def test_no_two_hold_one_trial(tmp_path: Path) -> None:
    one, other = store(tmp_path), store(tmp_path)
    with ExitStack() as held:
        tasks = [task_name("here now", number) for number in range(4)]
        numbers = [
            held.enter_context(each.next_trial(3, task)) for each, task in zip((one, other) * 2, tasks, strict=True)
        ]
        assert [trial and trial.number for trial in numbers] == [0, 1, 2, None]
    assert not one.finished()


def test_a_trial_that_is_behind_the_others_is_stopped(tmp_path: Path) -> None:
    trials = store(tmp_path)
    for number in range(7):
        with trials.next_trial(None, HERE) as trial:
            assert trial is not None
            for step in range(6):
                trial.report(1.0 + number, step)
            assert bool(trial.should_prune()) is (number >= 5)
            trials.tell(trial, None if number >= 5 else 1.0 + number)
    assert [trial.state.name for trial in trials.trials()][5:] == ["PRUNED"] * 2
    assert [error_of_trial(trial) for trial in trials.trials()] == [1.0, 2.0, 3.0, 4.0, 5.0, None, None]


def test_another_search_of_the_same_name_is_refused(tmp_path: Path) -> None:
    store(tmp_path)
    with pytest.raises(ConfigError, match="study 'months'"):
        store(tmp_path, search="another")


def test_any_storage_of_optuna_by_its_address(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/studies.db"
    search(store(tmp_path / "here", address), 3)
    journal = store(tmp_path / "journal")
    search(journal, 3)
    assert lines(store(tmp_path / "here", address)) == lines(journal)
    forget_study(address, "months")
    assert store(tmp_path / "here", address).trials() == []
    with pytest.raises(MachineError, match=r"nowhere://"):
        store(tmp_path, "nowhere://x")


def test_a_trial_goes_on_wherever_its_task_is_computed_again(tmp_path: Path) -> None:
    """On a machine that shares the storage and no disk, too; a trial of another caller is left alone."""
    address = f"sqlite:///{tmp_path}/studies.db"
    here, there, elsewhere = (store(tmp_path / place, address) for place in ("here", "there", "elsewhere"))
    tasks = [task_name("here now", number) for number in range(3)]
    with here.next_trial(2, tasks[0]) as first, elsewhere.next_trial(2, task_name("other now", 0)) as second:
        assert [trial and trial.number for trial in (first, second)] == [0, 1]
    with there.next_trial(2, tasks[0]) as again, there.next_trial(2, tasks[1]) as none:
        assert none is None
        assert again is not None
        assert (again.number, again.params) == (0, DEFAULTS)
        there.tell(again, 0.5)
    assert here.hand_over("here", "here again") == 0
    assert elsewhere.hand_over("other", "other again") == 1
    with elsewhere.next_trial(2, task_name("other again", 0)) as left:
        assert left is not None
        elsewhere.tell(left, 0.6)
    assert [trial.state.name for trial in there.trials()] == ["COMPLETE"] * 2


def test_a_storage_that_refuses_begins_no_study(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="cannot be used"):
        store(tmp_path / "months", "nowhere://x")
    assert not is_begun(tmp_path / "months")
    first = caller_of(tmp_path / "months")
    assert is_begun(tmp_path / "months")
    assert caller_of(tmp_path / "months") == first


def test_importances_are_told_of_enough_trials(tmp_path: Path) -> None:
    trials = store(tmp_path)
    search(trials, 19)
    assert importances(trials) == {}
    search(trials, 24)
    found = importances(trials)
    assert sum(found.values()) == pytest.approx(1)
    assert found.keys() == SPACE.keys()


def test_without_optuna_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MachineError, match=r"optuna.*\n.*forecast-lstm\[tune\]") as caught:
        store(tmp_path)
    assert caught.value.exit_code == 3
