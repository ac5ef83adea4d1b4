"""Prometheus: promtool accepts it, every alert goes off when it should, and asks for metrics that exist."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.conftest import Promtool
from tests.deploy.files import DEPLOY, ROLES, ROOT, queries, read_yaml, rules
from tests.deploy.words import foreign_metrics, known_metrics, labels_in, metrics_in

FOLDER = DEPLOY / "prometheus"
ALERT_TESTS = Path(__file__).with_name("alerts.test.yml")


def test_the_configuration_is_one(promtool: Promtool):
    said = promtool("check", "config", FOLDER / "prometheus.yml")

    assert "1 rule files found" in said


def test_the_configuration_for_kubernetes_is_one(promtool: Promtool, tmp_path: Path):
    """Debian's promtool knows no discovery in Kubernetes, so targets stand in its place."""
    (config,) = read_yaml(FOLDER / "kubernetes.yml")
    (job,) = config["scrape_configs"]
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod", "namespaces": {"names": ["arrears"]}}]
    job["static_configs"] = [{"targets": ["127.0.0.1:8081"]}]
    config["rule_files"] = [str(FOLDER / "rules" / "*.yml")]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")

    promtool("check", "config", tmp_path / "prometheus.yml")


def test_rules_are_rules(promtool: Promtool):
    promtool("check", "rules", *sorted((FOLDER / "rules").glob("*.yml")))


def test_alerts_go_off_when_they_should_and_only_then(promtool: Promtool):
    assert "SUCCESS" in promtool("test", "rules", ALERT_TESTS)


def test_every_alert_is_shown_to_go_off():
    (cases,) = read_yaml(ALERT_TESTS)
    shown: set[str] = set()
    for case in cases["tests"]:
        for each in case.get("alert_rule_test", []):
            shown |= {each["alertname"]} if each["exp_alerts"] else set()
        for each in case.get("promql_expr_test", []):
            shown |= {rule["alert"] for rule in rules() if each["exp_samples"] and _names(rule["alert"], each)}

    assert {rule["alert"] for rule in rules()} == shown


def _names(alert: str, expression_test: dict[str, Any]) -> bool:
    samples = [each["labels"] for each in expression_test["exp_samples"]]
    return f'"{alert}"' in expression_test["expr"] or any(f'"{alert}"' in each for each in samples)


def test_every_alert_says_how_bad_it_is_and_what_to_do():
    runbook = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    for rule in rules():
        assert rule["labels"]["severity"] in {"warning", "critical"}, rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]
        assert f"`{rule['alert']}`" in runbook, rule["alert"]


def test_every_role_is_scraped_and_missed():
    (config,) = read_yaml(FOLDER / "prometheus.yml")
    (job,) = [each for each in config["scrape_configs"] if each["job_name"] == "arrears"]
    (names,) = [each["names"] for each in job["dns_sd_configs"]]

    assert set(names) == ROLES
    assert {rule["labels"]["role"] for rule in rules() if rule["alert"] == "ArrearsRoleDown"} == ROLES


ASKED = [(rule["alert"], rule["expr"]) for rule in rules()] + list(queries())


@pytest.mark.parametrize(("where", "expression"), ASKED)
def test_what_is_asked_for_exists(where: str, expression: str):
    assert metrics_in(expression)
    assert metrics_in(expression) <= known_metrics().keys() | foreign_metrics(), where


@pytest.mark.parametrize(("where", "expression"), ASKED)
def test_labels_that_are_asked_for_exist(where: str, expression: str):
    for metric, labels in labels_in(expression):
        if metric in known_metrics():
            assert labels - {"job", "role"} <= known_metrics()[metric], where


def test_the_check_sees_a_metric_that_is_not_there():
    assert metrics_in("max by (reader) (arrears_no_such_thing)") == {"arrears_no_such_thing"}
    assert "arrears_no_such_thing" not in known_metrics()
    assert list(labels_in('up{job="arrears", role=~"a|b"} == 0')) == [("up", {"job", "role"})]


def test_promtool_refuses_what_is_wrong(promtool: Promtool, tmp_path: Path):
    (tmp_path / "wrong.yml").write_text(
        "groups: [{name: a, rules: [{alert: A, expr: 'sum by (reader (x)'}]}]\n", encoding="utf-8"
    )

    with pytest.raises(AssertionError, match="could not parse expression"):
        promtool("check", "rules", tmp_path / "wrong.yml")
