"""The page lists the metrics that exist, and no others, as they are."""

import re
from pathlib import Path

import pytest

from adapters.telemetry import metrics, tracing
from adapters.telemetry.store_collector import GAUGES
from policies.agenda import KINDS

PAGE = (Path(__file__).parents[3] / "docs" / "telemetry.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| `(arrears_\w+)` \| (\w+) \|([^|]*)\| ([^|]+) \| (.+) \|$", re.MULTILINE)
_KINDS = {"Counter": "counter", "Gauge": "gauge", "Histogram": "histogram"}


def existing() -> dict[str, tuple[str, str, str]]:
    """Type, labels and meaning of each metric, by its name on the wire."""
    found = {}
    for metric in (each for each in vars(metrics).values() if type(each).__name__ in _KINDS):
        kind = _KINDS[type(metric).__name__]
        name = metric._name + ("_total" if kind == "counter" else "")
        found[name] = kind, labels(metric._labelnames), metric._documentation
    for gauge in GAUGES:
        found[gauge.name] = "gauge", labels(gauge.labels), gauge.meaning
    return found


def labels(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def documented() -> dict[str, tuple[str, str, str]]:
    return {name: (kind, said.strip(), meaning) for name, kind, said, _, meaning in _ROW.findall(PAGE)}


def test_the_page_lists_the_metrics_that_exist_as_they_are():
    assert documented() == existing()


def test_every_metric_is_registered():
    families = {metric.name for metric in metrics.OURS.collect()}
    assert {name.removesuffix("_total") for name in existing().keys() - {gauge.name for gauge in GAUGES}} == families


@pytest.mark.parametrize("name", existing())
def test_a_metric_s_name_says_its_unit(name: str):
    ((unit,),) = [re.findall(rf"^\| `{name}` \|[^|]*\|[^|]*\| (.+?) \|", PAGE, re.MULTILINE)]
    assert ("seconds" in name) == (unit == "seconds")


def test_every_label_is_explained():
    used = {label for _, said, _ in existing().values() for label in re.findall(r"`(\w+)`", said)}
    explained = set(re.findall(r"^\| `(\w+)` \| [^|]+ \|$", PAGE, re.MULTILINE))
    assert used <= explained


def test_the_kinds_of_agenda_items_are_listed_in_their_order():
    ((listed,),) = [re.findall(r"^\| `kind` \| of the agenda item: ([^;]+);", PAGE, re.MULTILINE)]
    assert listed == ", ".join(f"`{kind}`" for kind in KINDS)


def test_every_expression_names_metrics_that_exist():
    named = set(re.findall(r"\barrears_\w+", PAGE))
    assert named <= existing().keys()


def test_the_variables_are_those_that_are_looked_at():
    for variable in (
        *tracing.ENDPOINT_VARIABLES,
        tracing.EXPORTER_VARIABLE,
        tracing.DISABLED_VARIABLE,
        tracing.NAME_VARIABLE,
    ):
        assert f"`{variable}`" in PAGE
    assert f"at most {tracing.MOST_LINKS} of them" in PAGE
