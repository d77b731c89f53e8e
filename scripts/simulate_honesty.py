"""Do the claims of the product hold? Each is made on simulated data, of which the truth is known, and counted.

    python scripts/simulate_honesty.py [--only size,power] [--quick] [--replications 100] > docs/honesty.md

The tables go to standard output as Markdown, and what misses its bar to standard error, with exit code 1. All of them
take some twenty minutes on two cores. Replication number k is drawn with seed k, so that a table is always the same.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

# Before NumPy and TensorFlow: each process is one thread, and the processes are as many as the cores. Who imports this
# module keeps an environment of its own.
if __name__ in ("__main__", "__mp_main__"):
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")

from honesty.claims import FALSE_PRAISE, TRUE_SKILL
from honesty.coverage import LINEAR_COVERAGE, NETWORK_COVERAGE, PANEL_COVERAGE, SHIFT
from honesty.drift import DELAY, FALSE_ALARM
from honesty.evidence import POWER, SELECTION, SIZE
from honesty.leaks import FALSE_ALARMS, LEAKS
from honesty.panels import PANELS
from honesty.table import Table

TABLES: dict[str, Table] = {
    "size": SIZE,
    "panels": PANELS,
    "power": POWER,
    "selection": SELECTION,
    "praise": FALSE_PRAISE,
    "skill": TRUE_SKILL,
    "coverage": LINEAR_COVERAGE,
    "networks": NETWORK_COVERAGE,
    "shift": SHIFT,
    "panel-coverage": PANEL_COVERAGE,
    "leaks": LEAKS,
    "false-alarms": FALSE_ALARMS,
    "drift": FALSE_ALARM,
    "drift-delay": DELAY,
}


_PREAMBLE = """# Do the claims hold?

Each claim of the product is made here on simulated data, of which the truth is known, and counted. `python
scripts/simulate_honesty.py > docs/honesty.md` makes this page; replication k of each line is drawn with seed k.
"""


def main() -> int:
    """Make the tables; 1 if a figure misses its bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", type=lambda names: names.split(","), default=list(TABLES), help=", ".join(TABLES))
    parser.add_argument("--quick", action="store_true", help="few cases and replications: seconds")
    parser.add_argument("--replications", type=int, help="of each case, in place of the table's own number")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    given = parser.parse_args()
    if unknown := set(given.only) - TABLES.keys():
        parser.error(f"there is no table {min(unknown)!r}; there are {', '.join(TABLES)}")
    print(_PREAMBLE)
    missed = 0
    with ProcessPoolExecutor(given.processes, mp_context=get_context("spawn")) as executor:
        for name in given.only:
            began, table = time.monotonic(), TABLES[name]
            if given.quick and not table.quick_cases:  # it takes trained networks
                continue
            frame = table.make(executor, given.quick, given.replications)
            print(table.to_markdown(frame, table.count(given.quick, given.replications)), flush=True)
            misses = table.misses(frame)
            missed += len(misses)
            print(f"{name}: {time.monotonic() - began:.0f} s", *misses, sep="\n  missed: ", file=sys.stderr, flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
