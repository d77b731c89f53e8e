"""Names of months and weekdays as tables write them: in full or cut short, in the languages of Europe.

All are in lower case and without accents; a shorter word stands for a name if it begins names of that month alone.
"""

from __future__ import annotations

# By month: English, German, French, Spanish, Italian, Portuguese, Dutch, Scandinavian, Polish; and odd abbreviations.
_MONTHS = (
    "january januar janvier enero gennaio janeiro januari janner styczen stycznia",
    "february februar fevrier febrero febbraio fevereiro februari feber luty lutego",
    "march marz maerz mars marzo marco maart marts marzec marca mrz mrt",
    "april avril abril aprile kwiecien kwietnia",
    "may mai mayo maggio maio mei maj maja",
    "june juni juin junio giugno junho czerwiec czerwca",
    "july juli juillet julio luglio julho lipiec lipca",
    "august aout agosto augustus augusti sierpien sierpnia",
    "september septembre septiembre setiembre settembre setembro wrzesien wrzesnia",
    "october oktober octobre octubre ottobre outubro pazdziernik pazdziernika",
    "november novembre noviembre novembro listopad listopada",
    "december dezember decembre diciembre dicembre dezembro desember grudzien grudnia",
)
_WEEKDAYS = (
    "monday montag lundi lunes lunedi segunda maandag mandag poniedzialek",
    "tuesday dienstag mardi martes martedi terca dinsdag tirsdag tisdag wtorek",
    "wednesday mittwoch mercredi miercoles mercoledi quarta woensdag onsdag sroda",
    "thursday donnerstag jeudi jueves giovedi quinta donderdag torsdag czwartek",
    "friday freitag vendredi viernes venerdi sexta vrijdag fredag piatek",
    "saturday samstag sonnabend samedi sabado sabato zaterdag lordag sobota",
    "sunday sonntag dimanche domingo domenica zondag sondag niedziela",
)


def _shortened(names: tuple[str, ...], shortest: int) -> dict[str, int]:
    """Every word that begins names of one line alone, and the number of that line from 1."""
    meant: dict[str, set[int]] = {}
    for number, line in enumerate(names, 1):
        for name in line.split():
            for length in range(shortest, len(name) + 1):
                meant.setdefault(name[:length], set()).add(number)
    return {word: min(numbers) for word, numbers in meant.items() if len(numbers) == 1}


MONTHS = _shortened(_MONTHS, 3)
WEEKDAYS = frozenset(_shortened(_WEEKDAYS, 3)) | {name[:2] for line in _WEEKDAYS for name in line.split()}
