"""What was asked of a service, when, and what it answered: the raw body in a file, and beside it a JSON that says so.

Services revise what they hold. An answer is kept as it came, so that it can be told later what was known at the time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from forecast.errors import MachineError

# Names of files begin with the time of asking, so that they sort by it.
_TIME = "%Y%m%dT%H%M%SZ"
_ABOUT = ".about.json"


@dataclass(frozen=True)
class Answer:
    """An answer that was kept.

    Args:
        address: What was asked, without the key.
        asked_at: When, in UTC, as ISO 8601.
        sha256: Of the body.
        body: The body's file, in the folder of answers.
        weight: How much of the limits it took.
        licence: Under which the service gives it.
        attribution: Whom to name.
    """

    address: str
    asked_at: str
    sha256: str
    body: str
    weight: float
    licence: str
    attribution: str

    @property
    def time(self) -> datetime:
        """When it was asked."""
        return datetime.fromisoformat(self.asked_at)


@dataclass(frozen=True)
class Answers:
    """The answers of one service.

    Args:
        folder: Where they are.
    """

    folder: Path

    def keep(
        self, content: bytes, address: str, asked_at: datetime, weight: float, licence: str, attribution: str
    ) -> Answer:
        """Write an answer down: the body first, so that no description is without one.

        Raises:
            MachineError: If the disk is full or the folder cannot be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        name = f"{asked_at.astimezone(UTC).strftime(_TIME)}-{_short_hash(address)}-{digest[:8]}"
        stamp = asked_at.astimezone(UTC).isoformat(timespec="seconds")
        answer = Answer(address, stamp, digest, f"{name}.body", weight, licence, attribution)
        write_whole(self.folder / answer.body, content)
        write_whole(self.folder / f"{name}{_ABOUT}", to_json(asdict(answer)))
        return answer

    def since(self, time: datetime, address: str | None = None) -> Iterator[Answer]:
        """The answers to what was asked after a time, of one address or of all, the newest first.

        Damaged descriptions are passed over.
        """
        first = time.astimezone(UTC).strftime(_TIME)
        names = sorted(os.listdir(self.folder), reverse=True) if self.folder.is_dir() else []
        for name in names:
            if name < first:
                return
            if name.endswith(_ABOUT) and (address is None or f"-{_short_hash(address)}-" in name):
                try:
                    yield Answer(**json.loads((self.folder / name).read_bytes()))
                except (OSError, ValueError, TypeError):
                    continue

    def newest(self, address: str, now: datetime, max_age: timedelta) -> tuple[Answer, bytes] | None:
        """The newest answer to the same question that is at most so old, and its body, if that is whole."""
        for answer in self.since(now - max_age, address):
            if answer.address == address and os.path.basename(answer.body) == answer.body:
                try:
                    content = (self.folder / answer.body).read_bytes()
                except OSError:
                    continue
                if hashlib.sha256(content).hexdigest() == answer.sha256:
                    return answer, content
        return None


def _short_hash(address: str) -> str:
    """What stands for an address in the names of files."""
    return hashlib.sha256(address.encode()).hexdigest()[:8]


def to_json(document: object) -> bytes:
    """A document as a file holds it."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, meets the old content or the new one, whole.

    Raises:
        MachineError: If it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise MachineError(
            f"Cannot write {path}: {error.strerror or error}.", "Choose a folder that you may write, with room in it."
        ) from None
