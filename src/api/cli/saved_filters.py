"""`arrears filter`: selections of the collections report that an office keeps by name."""

from typing import Annotated, Any

import typer

from api.cli.asking import answered
from api.cli.filters import filter_options, given_of, with_options
from api.cli.offices import say_done
from api.cli.opening import by_whom, check_text, command_of, commanding, issue
from api.cli.options import AsJson, DataDir, OfficeCode, Reason
from api.cli.output import print_json, print_table, say
from api.cli.tables import key, prose, tabular, word

app = typer.Typer(no_args_is_help=True, help="Selections of the collections report that are kept by name.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits and dashes.")]
_SAVED = (key("filter"), word("office", 3), prose("accounts", 1), prose("columns", 4), word("sort", 2))


@app.command("list")
@tabular
def list_all(data: DataDir = None, office: OfficeCode = None, as_json: AsJson = False) -> None:
    """Every saved filter, by its name."""
    found = answered(data, lambda ask: ask("/v1/filters", office=office))
    if as_json:
        print_json(found)
        return
    if not found:
        say("There is no saved filter yet: arrears filter save NAME --min-dpd 60")
        return
    print_table(_SAVED, (_row(each) for each in found))


def _row(saved: Any) -> list[Any]:
    said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in saved["filters"].items())
    way = {True: " descending", False: " ascending", None: ""}[saved["descending"]]
    return [
        saved["name"],
        saved["office"],
        said or "all",
        ", ".join(saved["columns"]) or None,
        f"{saved['sort'] or ''}{way}".strip() or None,
    ]


def save(
    *,
    name: str,
    data: Any,
    office: Any,
    sort: str | None,
    ascending: bool | None,
    columns: str | None,
    reason: Any,
    as_json: bool,
    **options: Any,
) -> None:
    from aggregates.values.codes import Code
    from api.application.bulk import office_of
    from api.application.saved_filters import save_filter
    from projections.collections_report.columns import IN_REPORT
    from projections.questions import Filters, Sort

    check_text(Code, "NAME", name)
    if sort is not None and sort not in {*Sort}:
        raise typer.BadParameter(f"--sort {sort}: expected one of {', '.join(Sort)}")
    named = [each.strip() for each in (columns or "").split(",") if each.strip()]
    if wrong := [each for each in named if each not in IN_REPORT]:
        raise typer.BadParameter(f"--columns {wrong[0]}: expected some of {', '.join(IN_REPORT)}")
    filters = command_of(Filters, {}, **given_of(options))
    with commanding(data) as service:
        issuing, caller = by_whom(service, reason)
        done = save_filter(
            issuing,
            caller,
            office_of(service, office),
            name,
            filters,
            columns=named,
            sort=Sort(sort) if sort else None,
            descending=None if ascending is None else not ascending,
        )
    say_done(done, changed=f"Filter {name} is kept.", same="It is so already.", as_json=as_json)


_columns = typer.Option("--columns", metavar="A,B,C", help="The columns it shows, by their names in JSON.")
with_options(
    save,
    "Keep a selection under a name, instead of one that had it.",
    {
        "name": Name, "data": DataDir, "office": OfficeCode, **filter_options(),
        "sort": Annotated[str | None, typer.Option("--sort", metavar="COLUMN", help="What rows are ordered by.")],
        "ascending": Annotated[bool | None, typer.Option("--ascending/--descending", help="Which way.")],
        "columns": Annotated[str | None, _columns],
        "reason": Reason, "as_json": AsJson,
    },
    required=("name",),
)  # fmt: skip
app.command("save")(save)


@app.command("remove")
def remove(
    name: Name, data: DataDir = None, office: OfficeCode = None, reason: Reason = None, as_json: AsJson = False
) -> None:
    """Keep a selection no longer. What was done with it stays done."""
    from aggregates.office import RemoveFilter
    from api.application.bulk import office_of

    with commanding(data) as service:
        command = command_of(RemoveFilter, {}, office_id=office_of(service, office).id, name=name)
        done = issue(service, command, reason=reason)
    say_done(done, changed=f"Filter {name} is kept no longer.", same="It is so already.", as_json=as_json)
