"""Servers of services, and what is asked of them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from forecast.errors import ConfigError


@dataclass(frozen=True)
class Host:
    """A server of a service.

    Args:
        name: Names the folder of its answers, and the variable of the environment that gives another address: that of
            ``open-meteo-archive`` is ``FORECAST_OPEN_METEO_ARCHIVE_URL``.
        title: What messages call it.
        url: Its address.
        licence: Under which it gives its answers.
        attribution: Whom to name.
        limits: Weights that it answers within a span, ``(weight, seconds)``.
        shares: The host whose limits it shares; empty for limits of its own.
    """

    name: str
    title: str
    url: str
    licence: str
    attribution: str
    limits: tuple[tuple[float, float], ...] = ()
    shares: str = ""

    @property
    def variable(self) -> str:
        """The variable of the environment that gives another address."""
        return f"FORECAST_{self.name.upper().replace('-', '_')}_URL"

    @property
    def address(self) -> str:
        """Where it is.

        Raises:
            ConfigError: If the environment gives what is no address.
        """
        given = os.environ.get(self.variable)
        if given is None:
            return self.url
        if urlsplit(given).scheme not in ("http", "https") or not urlsplit(given).hostname:
            raise ConfigError(
                f"{self.variable} is no address: {given!r}.", f"Give one such as {self.url}, or unset the variable."
            )
        return given.rstrip("/")


@dataclass(frozen=True)
class Query:
    """A question to a host.

    Args:
        host: The host.
        path: The path below its address.
        params: The parameters, without the key.
        secret: The parameter that holds the key.
        headers: Further headers, which may hold the key.
        weight: How much of the host's limits it takes.
        absent: Statuses that mean that there is nothing, as of a year without a file.
    """

    host: Host
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    secret: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    weight: float = 1.0
    absent: tuple[int, ...] = ()

    @property
    def address(self) -> str:
        """The address without the key, and without the password of a gateway."""
        base = re.sub(r"//[^/@]*@", "//", self.host.address)
        return f"{base}{self.path}" + (f"?{urlencode(self.params)}" if self.params else "")
