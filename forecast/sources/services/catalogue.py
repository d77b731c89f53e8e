"""Every service by the word that names it in a source, as in ``open-meteo:Oslo``: the only list of services."""

from __future__ import annotations

from forecast.sources.services import alpha_vantage, fred, meteostat, ncei, open_meteo, tiingo, yahoo
from forecast.sources.services.service import Service

SERVICES: dict[str, Service] = {
    service.name: service
    for service in (
        open_meteo.SERVICE,
        meteostat.SERVICE,
        ncei.SERVICE,
        ncei.ARCHIVE,
        yahoo.SERVICE,
        tiingo.SERVICE,
        alpha_vantage.SERVICE,
        fred.SERVICE,
    )
}
