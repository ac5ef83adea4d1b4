"""What two installations have in common: everything but ids, recorded times and places in the log."""

import re
from pathlib import Path
from typing import Any

import orjson

from api.processes.core import PROJECTIONS
from api.processes.service import Service

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_OF_THE_LOG = {
    "last_position", "position", "updated_at", "recorded_at", "sent_at", "place",
}  # fmt: skip
# Of work over many accounts only what the accounts did is compared: when it is begun and finished, and so what of it is
# a repeat, depends on who takes which chunk when.
_WORK = "work"


def events_of(service: Service) -> dict[str, list[str]]:
    """By account, or aggregate: what happened, with its day and whose doing it was, in an order of its own."""
    found: dict[str, list[str]] = {}
    after = 0
    while batch := service.feed.read(after):
        for each in batch:
            if each.name.startswith(f"{_WORK}."):
                continue
            said = orjson.dumps(
                [each.name, each.effective_on, each.meta.actor, _blurred(each.event.model_dump(mode="json"))],
                option=orjson.OPT_SORT_KEYS,
            ).decode()
            found.setdefault(str(each.account_id or each.aggregate_id), []).append(said)
        after = batch[-1].position or 0
    return {owner: sorted(said) for owner, said in found.items()}


def tables_of(service: Service) -> dict[str, list[str]]:
    """By table, the rows of every live projection, in an order of their own."""
    found = {}
    with service.database.connect("arrears_app") as connection:
        for schema, table in (
            ("personal" if projection.is_personal else "read_model", table)
            for projection in PROJECTIONS
            for table in projection.public
        ):
            rows = connection.execute(f"SELECT to_jsonb(t) FROM {schema}.{table} AS t").fetchall()
            found[table] = sorted(
                orjson.dumps(_blurred(row), option=orjson.OPT_SORT_KEYS).decode()
                for (row,) in rows
                if row.get("aggregate_kind") != _WORK
            )
    return found


def outbox_of(service: Service) -> list[str]:
    """Who got which words."""
    folder = Path(service.env["ARREARS_OUTBOX"])
    return sorted(
        orjson.dumps(_blurred(orjson.loads(file.read_bytes())), option=orjson.OPT_SORT_KEYS).decode()
        for file in folder.glob("*.json")
    )


def _blurred(node: Any) -> Any:
    match node:
        case dict():
            return {_ID.sub("id", key): _blurred(value) for key, value in node.items() if key not in _OF_THE_LOG}
        case list():
            return [_blurred(each) for each in node]
        case str():
            return _ID.sub("id", node)
        case _:
            return node
