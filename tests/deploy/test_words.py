"""What deploy/ says to our processes, they understand."""

import pytest
import typer
from typer.main import get_command

from api.cli.app import app
from tests.deploy.files import JOBS, ROLES, container, of_arrears, workloads
from tests.deploy.words import variables_given, variables_known

COMMANDS = [
    *[(f"compose: {name}", service["command"]) for name, service in of_arrears().items()],
    *[(f"kubernetes: {name}", container(workload)["args"]) for name, workload in workloads().items()],
]


@pytest.mark.parametrize(("where", "arguments"), COMMANDS)
def test_every_command_is_one(where: str, arguments: list[str]):
    """Parsed as the command line parses it, and not run."""
    command = get_command(app)
    context = typer.Context(command, info_name="arrears")
    rest = list(arguments)
    while isinstance(command, typer.core.TyperGroup):
        name = rest.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"{where}: arrears has no {name}"
        command = found
    command.make_context(command.name, rest, parent=context)


def test_every_role_and_job_is_a_verb():
    verbs = set(get_command(app).commands)  # type: ignore[attr-defined]

    assert verbs >= ROLES | JOBS


@pytest.mark.parametrize("variable", sorted({name for name, _ in variables_given()}))
def test_every_variable_is_read_by_the_code(variable: str):
    where = sorted({place for name, place in variables_given() if name == variable})

    assert variable in variables_known(), f"{variable} is given in {', '.join(where)}"
