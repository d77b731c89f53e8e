"""A process that draws beside this one: it starts while networks are trained, and then takes half of the plots."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from forecast.memory import core_count

if TYPE_CHECKING:
    from forecast.data.prepare import Rows
    from forecast.plots.results import Part, RunResults

# Of more rows, drawing is a small share of a training, and sending them is none.
_MOST_ROWS = 100_000

# Plots that it is given ahead: one to draw, and one to go on with while this process draws one and does not listen.
_AHEAD = 2


@contextmanager
def drawing_beside(rows: Rows) -> Iterator[Drawer | None]:
    """A process that draws plots of these rows, or None where there is no core for it, or no time to start it in.

    TensorFlow takes longer to import than the process takes to start; where that is done, it would be waited for.
    """
    drawer = None
    if "tensorflow" not in sys.modules and core_count() > 1 and rows.panel.n_rows <= _MOST_ROWS:
        with suppress(OSError):
            drawer = Drawer()
    try:
        yield drawer
    finally:
        if drawer is not None:
            drawer.close()


class Drawer:
    """The process. Whatever goes wrong in it, it ends, and what it has not drawn is drawn in this one.

    It is none of `multiprocessing`, which would run the user's main module once more. It ends when nothing is left at
    this end of the pipe, so also when this process is killed.
    """

    def __init__(self) -> None:
        self._pipe, its_end = Pipe()
        program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve({its_end.fileno()})"
        with its_end:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[its_end.fileno()],
                process_group=0,  # Ctrl-C is for this process alone
            )

    def draw(self, run: RunResults) -> None:
        """Draw all plots of a run, here and there at once, into its ``drawn``."""
        from forecast.plots.run_report import draw_part, parts_of_plots

        _ = run.diagnosis  # computed once, for both
        left, given, is_ready = deque(parts_of_plots()), deque["Part"](), False
        with suppress(Exception):  # it has ended, or a run cannot be sent: what is missing is drawn here
            while left or given:
                if self._pipe.poll(0 if left else None):
                    answer = self._pipe.recv()
                    if is_ready:
                        run.drawn[given.popleft()] = answer
                    else:  # the first answer says no more than that
                        self._pipe.send(run)
                        is_ready = True
                    while left and len(given) < _AHEAD:
                        given.append(left.popleft())
                        self._pipe.send(given[-1])
                elif left:
                    part = left.pop()
                    run.drawn[part] = draw_part(run, part)

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.kill()
        self._process.wait()


def serve(file_descriptor: int) -> None:
    """What the process does: read the results of a run, then draw one part of its plots after the other."""
    gc.disable()  # a tenth of drawing, and the process ends soon
    from forecast.plots.run_report import draw_part

    with Connection(file_descriptor) as pipe, suppress(EOFError, OSError):
        pipe.send(None)
        run = pipe.recv()
        while True:
            pipe.send(draw_part(run, pipe.recv()))
