"""Where a debtor is: states, New York City and time zones, by postal address and telephone numbers.

A state that has two zones gives both, unless the first three digits of the ZIP lie wholly in one of them (49 CFR 71;
Postal Service, three-digit ZIP prefixes). A number gives the zones of its prefix; one that is not geographic none.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

EASTERN, CENTRAL, MOUNTAIN, PACIFIC = "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"
ARIZONA, ALASKA, ALEUTIAN, HAWAII = "America/Phoenix", "America/Anchorage", "America/Adak", "Pacific/Honolulu"

US = "US"
NEW_YORK_CITY = "NYC"

_ONE_ZONE: Mapping[str, str] = {
    EASTERN: "CT DC DE GA MA MD ME NC NH NJ NY OH PA RI SC VA VT WV",
    CENTRAL: "AL AR IA IL LA MN MO MS OK WI",
    MOUNTAIN: "CO MT NM UT WY",
    PACIFIC: "CA WA",
    HAWAII: "HI",
    "America/Puerto_Rico": "PR",
    "America/St_Thomas": "VI",
    "Pacific/Guam": "GU",
    "Pacific/Saipan": "MP",
    "Pacific/Pago_Pago": "AS",
}

_TWO_ZONES: Mapping[str, Mapping[str, str]] = {
    # By state: its zones, each with the ZIP prefixes that lie wholly in it.
    "AK": {ALASKA: "996-999", ALEUTIAN: ""},
    "AZ": {ARIZONA: "850-857 859 863-864", MOUNTAIN: ""},  # the Navajo Nation keeps daylight saving time
    "FL": {EASTERN: "320-323 326-349", CENTRAL: "325"},
    "ID": {MOUNTAIN: "832-834 836-837", PACIFIC: "838"},
    "IN": {EASTERN: "460-462 467-468 470-474 478", CENTRAL: "463-464 476-477"},
    "KS": {CENTRAL: "660-676 679", MOUNTAIN: ""},
    "KY": {EASTERN: "400 402-418", CENTRAL: "420-424"},
    "MI": {EASTERN: "480-497", CENTRAL: ""},
    "ND": {CENTRAL: "580-584", MOUNTAIN: ""},
    "NE": {CENTRAL: "680-689", MOUNTAIN: ""},
    "NV": {PACIFIC: "889-897", MOUNTAIN: ""},
    "OR": {PACIFIC: "970-978", MOUNTAIN: ""},
    "SD": {CENTRAL: "570-574", MOUNTAIN: "577"},
    "TN": {EASTERN: "374 376 379", CENTRAL: "370-372 380-385"},
    "TX": {CENTRAL: "750-797", MOUNTAIN: "799 885"},
}

_ZIPS: Mapping[str, str] = {
    "AK": "995-999", "AL": "350-352 354-369", "AR": "716-729", "AZ": "850-865", "CA": "900-908 910-928 930-961",
    "CO": "800-816", "CT": "060-069", "DC": "200 202-205 569", "DE": "197-199", "FL": "320-339 341-342 344 346-347 349",
    "GA": "300-319 398-399", "GU": "969", "HI": "967-968", "IA": "500-528", "ID": "832-838", "IL": "600-629",
    "IN": "460-479", "KS": "660-679", "KY": "400-427", "LA": "700-714", "MA": "010-027 055", "MD": "206-219",
    "ME": "039-049", "MI": "480-499", "MN": "550-567", "MO": "630-658", "MS": "386-397", "MT": "590-599",
    "NC": "270-289", "ND": "580-588", "NE": "680-693", "NH": "030-038", "NJ": "070-089", "NM": "870-884",
    "NV": "889-898", "NY": "005 100-149", "OH": "430-459", "OK": "730-732 734-749", "OR": "970-979", "PA": "150-196",
    "PR": "006-007 009", "RI": "028-029", "SC": "290-299", "SD": "570-577", "TN": "370-385", "TX": "733 750-799 885",
    "UT": "840-847", "VA": "201 220-246", "VI": "008", "VT": "050-054 056-059", "WA": "980-994", "WI": "530-549",
    "WV": "247-268", "WY": "820-831",
}  # fmt: skip
_EXCEPT: Mapping[str, str] = {"96799": "AS", "96950": "MP", "96951": "MP", "96952": "MP", "06390": "NY"}

_CITY = "100-104 111-114 116"
_CITY_TOO = frozenset({"11004", "11005"})

STATES = frozenset(_TWO_ZONES) | {state for states in _ONE_ZONE.values() for state in states.split()}
"""Codes of the states, the District of Columbia and the territories (Postal Service, Publication 28)."""

TERRITORIES = frozenset({"AS", "GU", "MP", "PR", "VI"})
"""Those that ISO 3166-1 counts among the countries, under the same codes. They are states to the law: 15 USC
1692a(8)."""


def _prefixes(ranges: str) -> frozenset[str]:
    """`"060-062 065"` → 060, 061, 062, 065."""
    found = set()
    for each in ranges.split():
        first, _, last = each.partition("-")
        found |= {f"{number:03}" for number in range(int(first), int(last or first) + 1)}
    return frozenset(found)


_STATE_OF = {prefix: state for state, ranges in _ZIPS.items() for prefix in _prefixes(ranges)}
_ZONES_OF = {state: (zone,) for zone, states in _ONE_ZONE.items() for state in states.split()} | {
    state: tuple(zones) for state, zones in _TWO_ZONES.items()
}
_ZONE_OF_ZIP = {
    (state, prefix): zone
    for state, zones in _TWO_ZONES.items()
    for zone, ranges in zones.items()
    for prefix in _prefixes(ranges)
}
_CITY_PREFIXES = _prefixes(_CITY)


def state_of_zip(zip_code: str | None) -> str | None:
    """None for a ZIP of no state: of the armed forces, or of nobody."""
    if zip_code is None:
        return None
    return _EXCEPT.get(zip_code[:5]) or _STATE_OF.get(zip_code[:3])


def zones_of_address(state: str | None, zip_code: str | None) -> frozenset[str]:
    """Every zone that state and ZIP indicate; both count where they do not go together."""
    of_zip = state_of_zip(zip_code)
    found: set[str] = set()
    for each in {state, of_zip} - {None}:
        assert each is not None  # noqa: S101
        known = _ZONE_OF_ZIP.get((each, (zip_code or "")[:3])) if each == of_zip else None
        found |= {known} if known else set(_ZONES_OF[each])
    return frozenset(found)


def may_be_in_new_york_city(state: str | None, zip_code: str | None, city: str | None) -> bool:
    """By ZIP, else by the name of the city; somebody in the state of whom neither is known may be."""
    if zip_code is not None:
        return zip_code[:3] in _CITY_PREFIXES or zip_code[:5] in _CITY_TOO
    if city is not None:
        return state in {"NY", None} and _written_out(city) in _BOROUGHS
    return state == "NY"


def _written_out(city: str) -> str:
    """Without case, punctuation and the state, and with what is usually shortened in full."""
    words = _LETTERS.findall(city.casefold())
    if len(words) > 1 and words[-1] == "ny":
        words.pop()
    return " ".join(_IN_FULL.get(word, word) for word in words)


_LETTERS = re.compile(r"[^\W_]+")
_IN_FULL = {
    "st": "saint", "n": "north", "e": "east", "s": "south", "w": "west", "hts": "heights", "is": "island",
    "isl": "island", "pk": "park", "gdns": "gardens", "hls": "hills", "vlg": "village",
}  # fmt: skip
"""Abbreviations of the United States Postal Service (Publication 28) that names of the city have."""

_BOROUGHS = frozenset(
    {
        "new york", "new york city", "nyc", "ny", "manhattan", "brooklyn", "queens", "bronx", "the bronx", "riverdale",
        "staten island",
        # Names of Queens by which mail is addressed; Bellerose, Floral Park and New Hyde Park lie partly in it.
        "arverne", "astoria", "bayside", "bellerose", "breezy point", "cambria heights", "college point", "corona",
        "douglaston", "east elmhurst", "elmhurst", "far rockaway", "floral park", "flushing", "forest hills",
        "fresh meadows", "glen oaks", "hollis", "howard beach", "jackson heights", "jamaica", "kew gardens",
        "little neck", "long island city", "maspeth", "middle village", "new hyde park", "oakland gardens",
        "ozone park", "queens village", "rego park", "richmond hill", "ridgewood", "rockaway park", "rockaway point",
        "rosedale", "saint albans", "south ozone park", "south richmond hill", "springfield gardens",
        "sunnyside", "whitestone", "woodhaven", "woodside",
        "belle harbor", "briarwood", "broad channel", "glendale", "kew gardens hills", "rockaway beach",
        # Of the Bronx, Brooklyn and Manhattan.
        "city island", "coney island", "harlem", "roosevelt island", "throgs neck",
    }
)  # fmt: skip


@cache
def zones_of_country(country: str) -> tuple[str, ...]:
    """Every zone of a country that differs from its others; UTC alone where nobody knows which country."""
    if country == US:
        return (EASTERN, CENTRAL, MOUNTAIN, ARIZONA, PACIFIC, ALASKA, ALEUTIAN, HAWAII)
    from babel.core import get_global  # CLDR; takes a while to load

    return tuple(get_global("territory_zones").get(country, ())) or ("UTC",)


@lru_cache(maxsize=65_536)
def zones_of_number(number: str) -> frozenset[str]:
    """The zones of a number in E.164; none of a number without a place (toll-free, say), or of none that exists."""
    import phonenumbers
    from phonenumbers import timezone

    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return frozenset()
    is_of_overlay = parsed.country_code == _NORTH_AMERICA and _area(str(parsed.national_number)) in _OVERLAYS
    if not is_of_overlay and phonenumbers.number_type(parsed) not in _WITH_A_PLACE:
        return frozenset()
    zones = frozenset(timezone.time_zones_for_number(parsed)) - {timezone.UNKNOWN_TIMEZONE}
    if parsed.country_code == _NORTH_AMERICA and len(zones) <= 1:
        zones |= _zones_of_area(str(parsed.national_number))
    return zones


_NORTH_AMERICA = 1
_OVERLAYS = {"364": "270", "448": "850", "458": "541", "729": "423", "930": "812", "986": "208"}
"""Area codes that were laid over others that lie in two zones (North American Numbering Plan Administrator)."""
_AREA_DIGITS = 3


def _area(number: str) -> str:
    return number[:_AREA_DIGITS]


def _zones_of_area(number: str) -> frozenset[str]:
    """All zones of an area code, for a number of which no more than that is known: `phonenumbers` has the one in which
    most of them are."""
    area = _area(number)
    known = _zones_by_prefix()
    if area not in _OVERLAYS and any(number[:digits] in known for digits in range(_AREA_DIGITS + 1, len(number))):
        return frozenset()
    of_area = _OVERLAYS.get(area, area)
    return frozenset(zone for prefix, zones in known.items() if prefix.startswith(of_area) for zone in zones)


@cache
def _zones_by_prefix() -> Mapping[str, tuple[str, ...]]:
    """By the first digits of a number in North America."""
    from phonenumbers.tzdata import TIMEZONE_DATA

    country = str(_NORTH_AMERICA)
    return {prefix.removeprefix(country): zones for prefix, zones in TIMEZONE_DATA.items() if prefix[:1] == country}


_WITH_A_PLACE = frozenset({0, 1, 2})
"""`phonenumbers.PhoneNumberType`: fixed line, mobile, and where the two are not told apart."""


@cache
def zone_of(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=4_096)  # many debtors are alike in this
def zones(
    *,
    state: str | None,
    zip_code: str | None,
    country: str,
    numbers: tuple[str, ...] = (),
    known: tuple[str, ...] = (),
) -> tuple[ZoneInfo, ...]:
    """Every zone in which the debtor may be, by name: the hours have to be right in all of them (12 CFR 1006.6(b)(1),
    comment 6(b)(1)-1). Where nothing is known, all of the country."""
    found = {*known, *(zone for number in numbers for zone in zones_of_number(number))}
    if country == US:
        found |= zones_of_address(state, zip_code)
        return tuple(zone_of(name) for name in sorted(found or zones_of_country(country)))
    of_country = zones_of_country(country)
    if not known and len(of_country) == 1:
        found |= set(of_country)
    return tuple(zone_of(name) for name in sorted(found or of_country))
