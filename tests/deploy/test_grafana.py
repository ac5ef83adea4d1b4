"""The dashboard: whole, and every expression of it is one."""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.conftest import Promtool
from tests.deploy.files import DEPLOY, compose, dashboard, queries, read_yaml
from tests.deploy.words import known_metrics

FOLDER = DEPLOY / "grafana"
SHOWN = {
    "arrears_reader_lag_events",
    "arrears_reader_lag_seconds",
    "arrears_commands_total",
    "arrears_deliveries_total",
    "arrears_reader_parked_sequences",
    "arrears_agenda_due_items",
    "arrears_log_unsealed_events",
}


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dashboard()["panels"]
    return found


def shown() -> list[dict[str, Any]]:
    """Panels that show something, and not only a title."""
    return [each for each in panels() if each["type"] != "row"]


def test_panels_have_numbers_titles_and_descriptions_of_their_own():
    assert len({each["id"] for each in panels()}) == len(panels())
    assert all(each["title"] for each in panels())
    assert all(each["description"].endswith(".") for each in shown())


def test_panels_stand_beside_each_other_and_not_on_each_other():
    taken: set[tuple[int, int]] = set()
    for each in panels():
        place = each["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert all(x < 24 for x, _ in cells), each["title"]
        assert not cells & taken, each["title"]
        taken |= cells


def test_every_panel_asks_the_data_source_that_is_provisioned():
    (provisioned,) = read_yaml(FOLDER / "provisioning" / "datasources" / "prometheus.yaml")
    (source,) = provisioned["datasources"]
    expected = {"type": source["type"], "uid": source["uid"]}

    for each in shown():
        assert each["datasource"] == expected, each["title"]
        assert [target["datasource"] for target in each["targets"]] == [expected] * len(each["targets"])
        assert len({target["refId"] for target in each["targets"]}) == len(each["targets"])
    for each in dashboard()["templating"]["list"] + dashboard()["annotations"]["list"]:
        assert each["datasource"] == expected


def test_the_data_source_and_the_folder_are_those_of_the_compose_file():
    (provisioned,) = read_yaml(FOLDER / "provisioning" / "datasources" / "prometheus.yaml")
    (providers,) = read_yaml(FOLDER / "provisioning" / "dashboards" / "arrears.yaml")
    mounts = dict(each.split(":")[:2] for each in compose()["services"]["grafana"]["volumes"])

    assert provisioned["datasources"][0]["url"] == "http://prometheus:9090"
    assert "prometheus" in compose()["services"]
    assert mounts["../grafana/dashboards"] == providers["providers"][0]["options"]["path"]
    assert mounts["../grafana/provisioning"] == "/etc/grafana/provisioning"


def test_every_expression_is_one(promtool: Promtool, tmp_path: Path):
    as_rules = [{"record": f"panel:{number}", "expr": expression} for number, (_, expression) in enumerate(queries())]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": as_rules}]}), encoding="utf-8")

    said = promtool("check", "rules", file)

    assert f"{len(as_rules)} rules found" in said
    assert len(as_rules) > len(shown())


def test_variables_of_the_dashboard_are_declared():
    declared = {each["name"] for each in dashboard()["templating"]["list"]}
    used = {
        name
        for each in shown()
        for target in each["targets"]
        for name in re.findall(r"\$(\w+)", target["expr"])
        if not name.startswith("__")
    }

    assert used == declared
    for each in dashboard()["templating"]["list"]:
        (asked,) = re.findall(r"^label_values\((\w+), (\w+)\)$", each["query"]["query"])
        assert asked[1] in known_metrics()[asked[0]]


def test_what_an_operator_looks_for_is_on_it():
    everything = " ".join(expression for _, expression in queries())

    assert {each for each in SHOWN if each not in everything} == set()
    assert "max by (reader, state, partition) (arrears_reader_lag_seconds" in everything
    assert "max by (reader, state, partition) (arrears_reader_lag_events" in everything
    assert "sum by (outcome)" in everything
