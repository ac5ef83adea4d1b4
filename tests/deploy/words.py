"""Names that deploy/ uses, and where the code has them: verbs, variables, metrics."""

import re
from collections.abc import Iterator
from functools import cache

from prometheus_client.metrics import MetricWrapperBase

from adapters.telemetry import metrics
from adapters.telemetry.store_collector import GAUGES
from tests.deploy.files import DEPLOY, ROOT, container, of_arrears, of_kind, workloads

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
_FOREIGN = {"up", "ALERTS", "process_resident_memory_bytes", "process_cpu_seconds_total"}
_WORDS = {"and", "or", "unless", "on", "ignoring", "by", "without", "offset", "bool", "group_left", "group_right"}
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")


@cache
def known_metrics() -> dict[str, set[str]]:
    """The names under which Prometheus sees our metrics, with their labels."""
    found = {gauge.name: set(gauge.labels) for gauge in GAUGES}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            for suffix in _SUFFIXES[family.type]:
                found[family.name + suffix] = set(metric._labelnames)
    return found


def foreign_metrics() -> set[str]:
    """What Prometheus and its client for Python bring along."""
    return _FOREIGN


def metrics_in(expression: str) -> set[str]:
    """The metrics that an expression of PromQL asks for."""
    text = re.sub(r"\"[^\"]*\"|'[^']*'", "", expression)
    text = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", "", text)
    text = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", text)
    return {each for each in re.findall(r"(?<![\w.:])[a-zA-Z_:][\w:]*(?![\w:]|\s*\()", text) if each not in _WORDS}


def labels_in(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Metrics that an expression picks out by labels, with these labels."""
    for metric, inside in _SELECTOR.findall(expression):
        yield metric, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r"\"[^\"]*\"", "", inside)))


# --- variables ---------------------------------------------------------------------------------------------


def variables_given() -> Iterator[tuple[str, str]]:
    """Variables that our processes are given, with where."""
    for name, service in of_arrears().items():
        for variable in service.get("environment", {}):
            yield variable, f"compose: {name}"
    for name, workload in workloads().items():
        for each in container(workload).get("env", []):
            yield each["name"], f"kubernetes: {name}"
    for name, configuration in of_kind("ConfigMap").items():
        for variable in configuration["data"]:
            yield variable, f"kubernetes: {name}"
    text = (DEPLOY / "container" / "Containerfile").read_text(encoding="utf-8")
    for variable in re.findall(r"\b((?:ARREARS|KAFKA)_[A-Z_]+)=", text):
        yield variable, "Containerfile"


@cache
def variables_known() -> frozenset[str]:
    """Variables that the code reads by name."""
    found: set[str] = set()
    for file in (ROOT / "src").rglob("*.py"):
        found |= set(re.findall(r"[\"']((?:ARREARS|KAFKA|OTEL)_[A-Z_]+)[\"']", file.read_text(encoding="utf-8")))
    return frozenset(found)
