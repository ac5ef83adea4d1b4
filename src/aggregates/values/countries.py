"""Countries by their codes; what is none of them is refused."""

from collections.abc import Collection, Container, Iterable

from aggregates.kernel.refusals import Refusal

_ISO_3166 = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
    FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
    TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
"""ISO 3166-1 alpha-2, as assigned by the ISO 3166 Maintenance Agency."""
_KOSOVO = "XK"
"""Not assigned by ISO; telephone numbers, postal services and the European Union use it."""

_ALSO = {"UK": "GB", "EL": "GR"}
"""Codes that ISO 3166-1 keeps free because they are in use: the institutions of the European Union write them so."""

COUNTRIES = frozenset({*_ISO_3166.split(), _KOSOVO})

A_COUNTRY = "the code of a country (ISO 3166-1), such as US or GB"


def is_country(code: str) -> bool:
    return code in COUNTRIES


def country_of(text: str) -> str | None:
    """The code of the country that somebody means; None where it is none."""
    code = text.upper()
    code = _ALSO.get(code, code)
    return code if is_country(code) else None


def is_one_of(country: str | None, codes: Collection[str]) -> bool:
    """Whether a country is among others, however either is spelled: UK is GB. What is no country is only itself."""
    if country is None or country in codes:
        return country is not None
    found = country_of(country)
    return found is not None and any(country_of(each) == found for each in codes)


def require_countries(said: Iterable[str | None], known: Container[str | None]) -> None:
    """Refuses a code of no country, such as UK: by the country it is known which law holds and how late it is there.
    One that is `known` already may stay: releases before this one took any two letters."""
    for each in said:
        if each is not None and each not in known and not is_country(each):
            raise Refusal("not-a-country", f"country {each!r}: expected {A_COUNTRY}")
