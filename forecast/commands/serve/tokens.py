"""The tokens by which a server knows its clients."""

from __future__ import annotations

import re
from pathlib import Path

from forecast.errors import ConfigError, MachineError, setting

# A token as HTTP takes it (RFC 6750), not one that is guessed in a day.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,}=*")


def read_tokens(path: Path | None) -> list[str] | None:
    """The tokens in a file, one a line; None for no file.

    Raises:
        MachineError: If it cannot be read.
        ConfigError: If it has none, or one that is short or cannot be sent.
    """
    if path is None:
        return None
    try:
        tokens = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is no text"
        raise MachineError(f"Cannot read {path}: {what}.", f"Name another {setting('token_file')}.") from None
    tokens = [token.strip() for token in tokens if token.strip()]
    for number, token in enumerate(tokens, 1):
        if not _TOKEN.fullmatch(token):
            raise ConfigError(
                f"{path}: token {number} has {len(token)} characters; it needs 16 or more, letters, digits and ._~+/-.",
                f"Make one: openssl rand -hex 32 > {path}",
            )
    if not tokens:
        raise ConfigError(f"{path} has no token.", f"Make one: openssl rand -hex 32 > {path}")
    return tokens
