"""How a service is asked: with time-outs, within its limits, more than once where that may help, and one clear error.

Nothing here knows what an answer means. The time and the waiting are given, so that tests do neither.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from requests import exceptions as failures
from urllib3 import exceptions as broken

from forecast.errors import MachineError
from forecast.progress import NullProgress, Progress
from forecast.sources.datasets import DATASETS
from forecast.sources.services.answers import Answer, Answers
from forecast.sources.services.bodies import UnusableError, first_words
from forecast.sources.services.hosts import Query
from forecast.sources.services.limits import Limits
from forecast.version import VERSION

Parsed = TypeVar("Parsed")

# Seconds to wait before a second and a third try.
_BACK_OFF = (1.0, 4.0)

# Statuses after which a second try may help.
_BUSY = (429, 500, 502, 503, 504)

# The longest that a command waits for its turn; beyond, it says when to come back.
_LONGEST_WAIT = 90.0

# What to do after a refusal that would be the same later.
_ADVICE = {
    400: "Check what is asked for: names, days, columns.",
    401: "Check the key, if it needs one.",
    403: "Check the key, if it needs one; some answer browsers only: save the file from there.",
    404: "Check the name, or the address: there is nothing of that name.",
    410: "Look for where it is now: it was there, and is no longer.",
}

# How long a refusal holds where only its words tell, in seconds.
_HOLDS = {"minut": 60, "hour": 3600, "dai": 86400, "day": 86400}

# Without a further word, a service that has had enough is given a minute.
_TOO_MANY = 60.0

_MOST_REDIRECTS = 5

# Characters that a message has of what a parser says.
_WORDS = 100
_PIECE = 1 << 16


class ServiceError(MachineError):
    """A service could not be reached, or did not answer with what was asked for."""


class _TransientError(Exception):
    """A failure that a second try may mend.

    Args:
        what: What happened, as a sentence without its subject.
        wait: Seconds that the service asks to wait; None if it does not say.
    """

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.what, self.wait = what, wait


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Client:
    """Asks services, keeps what they answer, and keeps to their limits.

    Args:
        folder: Where answers are kept, in a folder for each host.
        progress: Receives what is waited for.
        now: The time.
        sleep: Waits so many seconds.
        timeouts: Seconds until a connection stands, and between two parts of an answer.
        most_seconds: An answer may take so long.
        most_bytes: An answer may be so long, unpacked.
    """

    folder: Path
    progress: Progress = field(default_factory=NullProgress)
    now: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep
    timeouts: tuple[float, float] = (10.0, 30.0)
    most_seconds: float = 300.0
    most_bytes: int = 200_000_000
    answers: list[Answer] = field(default_factory=list)  # to what this client asked, in that order
    _limits: Limits = field(init=False)

    def __post_init__(self) -> None:
        self._limits = Limits(self.folder)

    def ask(self, query: Query, parse: Callable[[bytes], Parsed], max_age: timedelta = timedelta(0)) -> Parsed | None:
        """What a host answers, parsed.

        Args:
            query: What is asked.
            parse: Makes of the body what is wanted, or raises `UnusableError`.
            max_age: An answer to the same question that is not older is taken again.

        Returns:
            What `parse` returned; None where the host has nothing.

        Raises:
            ServiceError: If there is no usable answer; says why, and what to do.
            MachineError: If the answer cannot be kept.
        """
        kept = Answers(self.folder / query.host.name)
        if max_age and (found := kept.newest(query.address, self.now(), max_age)):
            answer, content = found
            with suppress(UnusableError):  # what an earlier version understood
                parsed = _parsed(parse, content)
                self.answers.append(answer)
                return parsed
        for back_off in (*_BACK_OFF, None):
            self._wait_for_turn(query)
            asked_at = self.now()
            try:
                body = self._get(query)
                if body is None:
                    return None
                parsed = _parsed(parse, body)
            except UnusableError as problem:
                failure = _TransientError(f"answered with {problem.reason}")
                if not problem.again:
                    raise self._error(query, failure.what) from None
            except _TransientError as transient:
                failure = transient
            else:
                host = query.host
                self.answers.append(
                    kept.keep(body, query.address, asked_at, query.weight, host.licence, host.attribution)
                )
                return parsed
            wait = failure.wait if failure.wait is not None else back_off
            if back_off is None or wait is None:
                raise self._error(query, f"{failure.what}, three times")
            if wait > _LONGEST_WAIT:
                raise self._error(query, failure.what, f"Try again after {self._clock_after(wait)}.")
            self.progress.note(f"{query.host.title} {_shown(failure.what, query)}; asked again in {wait:.0f} s")
            self.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _get(self, query: Query) -> bytes | None:
        """The body of one answer; None where the host has nothing.

        Raises:
            _TransientError: If a second try may help.
            ServiceError: If it would not.
        """
        headers = {"User-Agent": f"forecast/{VERSION}", **query.headers}
        params, asked_at = {**query.params, **query.secret}, self.now()
        with _translated(self, query), requests.Session() as session:
            session.max_redirects = _MOST_REDIRECTS
            url = f"{query.host.address}{query.path}"
            with session.get(url, params=params, headers=headers, timeout=self.timeouts, stream=True) as response:
                if response.status_code in query.absent:
                    return None
                body = self._read(response, query, asked_at)
                if response.status_code in _BUSY:
                    raise _TransientError(_refusal(response.status_code, body), self._hold(response, body))
                if response.status_code != requests.codes.ok:
                    raise self._error(
                        query, _refusal(response.status_code, body), _ADVICE.get(response.status_code, "")
                    )
                if not _has_end(response, body):
                    raise _TransientError("answered with a table that breaks off")
                return body

    def _read(self, response: requests.Response, query: Query, asked_at: datetime) -> bytes:
        """The body as it comes in, up to its limits.

        Raises:
            ServiceError: If it is too long, or takes too long: drop by drop no time-out would end it.
        """
        content = bytearray()
        while piece := response.raw.read1(_PIECE, decode_content=True):
            content += piece
            if len(content) > self.most_bytes:
                what = f"answered with more than {self.most_bytes:,} bytes"
                raise self._error(query, what, "Ask for a shorter span.")
            if (self.now() - asked_at).total_seconds() > self.most_seconds:
                raise self._error(query, f"did not end its answer within {self.most_seconds:.0f} seconds")
        return bytes(content)

    def _hold(self, response: requests.Response, body: bytes) -> float | None:
        """How many seconds a busy host asks to wait, by its header or its words; None if it does not say."""
        asked = response.headers.get("Retry-After", "").strip()
        if asked.isdigit():
            return float(asked)
        if asked:
            try:
                until = parsedate_to_datetime(asked)
                return max(0.0, (until - self.now()).total_seconds())
            except (TypeError, ValueError):
                pass
        if response.status_code != requests.codes.too_many_requests:
            return None
        words = first_words(body).lower()
        return next((float(seconds) for word, seconds in _HOLDS.items() if word in words), _TOO_MANY)

    def _wait_for_turn(self, query: Query) -> None:
        """Wait until the limits of the host leave room for a query, and note it as asked.

        Raises:
            ServiceError: If that takes too long, or the query is heavier than a limit.
        """
        wait, limit = self._limits.wait(query.host, query.weight, self.now())
        if math.isinf(wait):
            what = f"{limit}, and this counts as {query.weight:,.0f}"
            raise self._error(query, what, "Ask for a shorter span or fewer columns.")
        if wait > _LONGEST_WAIT:
            raise self._error(query, f"{limit}, and these were used up", f"Try again after {self._clock_after(wait)}.")
        if wait:
            self.progress.note(f"{query.host.title} {limit}: waiting {wait:.0f} s")
            self.sleep(wait)
        self._limits.note(query.host, query.weight, self.now())

    def _clock_after(self, seconds: float) -> str:
        return f"{self.now() + timedelta(seconds=seconds):%Y-%m-%d %H:%M} UTC"

    def _error(self, query: Query, what: str, advice: str = "") -> ServiceError:
        return ServiceError(f"{query.host.title} {_shown(what, query)}.", advice or "Try again later.")


def _parsed(parse: Callable[[bytes], Parsed], body: bytes) -> Parsed:
    """What a body means; a body of a form that nobody expected is unusable, too."""
    try:
        return parse(body)
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        raise UnusableError(f"what is of another form ({type(error).__name__}: {str(error)[:_WORDS]})") from None


@contextmanager
def _translated(client: Client, query: Query) -> Iterator[None]:
    """What goes wrong on the way to a host, in words; the texts of the library would show the key."""
    host, name = query.host, urlsplit(query.host.address).hostname
    try:
        yield
    except failures.ProxyError:
        raise ServiceError(
            f"{host.title} could not be asked: the proxy does not let through, or is not there.",
            "Check the variables https_proxy, http_proxy and no_proxy.",
        ) from None
    except failures.SSLError:
        raise ServiceError(
            f"{host.title} could not be trusted: {name} shows no valid certificate.",
            "Where a company's proxy signs certificates, name its file in REQUESTS_CA_BUNDLE. Check the clock of this "
            "machine, too.",
        ) from None
    except (failures.Timeout, broken.ReadTimeoutError):
        raise _TransientError("did not answer in time") from None
    except broken.HTTPError:
        raise _TransientError("broke off in the middle of its answer") from None
    except failures.ConnectionError as error:
        if any(_is_unreachable(reason) for reason in _reasons(error)):
            raise ServiceError(
                f"There is no way to {host.title}: {name} cannot be reached from here.",
                f"Check the network. Built-in series need none: {', '.join(DATASETS)}.",
            ) from None
        raise _TransientError("closed the connection without an answer") from None
    except failures.TooManyRedirects:
        raise client._error(query, "sends in circles") from None
    except failures.RequestException as error:
        raise client._error(query, f"could not be asked ({type(error).__name__})") from None


def _reasons(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it wraps."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        reason = waiting.pop()
        if isinstance(reason, BaseException) and id(reason) not in seen:
            seen.add(id(reason))
            yield reason
            waiting += [*reason.args, getattr(reason, "reason", None), reason.__cause__, reason.__context__]


def _is_unreachable(reason: BaseException) -> bool:
    """Whether no connection was made: no name, no route, nobody who listens."""
    return isinstance(reason, broken.NewConnectionError | ConnectionRefusedError)


def _has_end(response: requests.Response, body: bytes) -> bool:
    """Whether an answer says itself where it ends, or ends as a whole line or document does."""
    is_framed = "Content-Length" in response.headers or "chunked" in response.headers.get("Transfer-Encoding", "")
    return is_framed or body[:2] == b"\x1f\x8b" or body.rstrip(b" ")[-1:] in (b"\n", b"}", b"]", b">", b"")


def _refusal(status: int, body: bytes) -> str:
    return f"refused with status {status}: {first_words(body)}".rstrip(".")


def _shown(text: str, query: Query) -> str:
    """A text without the key, which services repeat in their refusals."""
    for value in filter(None, (*query.secret.values(), *query.headers.values())):
        text = text.replace(value, "…").replace(value.split(" ")[-1], "…")
    return text
