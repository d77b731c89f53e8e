"""What a user can do: one file or folder for each command, found by its name.

Each holds ``command``, the function that the command line calls, and ``EXAMPLES`` of calls, and imports nothing large
before it is called. A command imports the core, never another command.
"""

from __future__ import annotations

# Every command in the order of the help, with the panel that it stands in: the only list of commands.
COMMANDS = {
    "train": "Start",
    "predict": "Start",
    "report": "Start",
    "inspect": "Start",
    "evaluate": "Judge",
    "score": "Judge",
    "backtest": "Judge",
    "compare": "Judge",
    "tune": "Judge",
    "explain": "Look inside",
    "audit": "Look inside",
    "replay": "Look inside",
    "serve": "Use",
    "stream": "Use",
    "anomalies": "Use",
    "export": "Use",
    "update": "Use",
    "watch": "Use",
    "rollback": "Use",
    "datasets": "Maintain",
    "fetch": "Maintain",
    "init": "Maintain",
    "runs": "Maintain",
}
