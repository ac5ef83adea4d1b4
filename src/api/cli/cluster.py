"""`arrears cluster`: every part of a cluster on this machine, to try things on."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import DataDir
from api.cli.output import note, print_table, say
from api.cli.problems import Problem
from api.cli.running import Port, check_door, seed_sample
from api.cli.signals import until_told
from api.cli.tables import key, tabular, word

if TYPE_CHECKING:
    from api.processes.local_cluster import LocalCluster

_FOLDER = Path("cluster")
_PROCESSES = (key("process"), word("health and metrics", 2), word("log", 1))
_LOOK_SECONDS = 0.5
_TOLD_TO_END = {0, -signal.SIGTERM, 128 + signal.SIGTERM}
"""How a process ends that is told to: once its work began, before it could hear, while it was starting."""


def add_to(app: typer.Typer) -> None:
    app.command("cluster")(cluster)


@tabular
def cluster(
    data: DataDir = None,
    *,
    port: Port = 8000,
    react: Annotated[int, typer.Option("--react", min=1, max=12, metavar="N", help="Processes for policies.")] = 1,
    project: Annotated[int, typer.Option("--project", min=1, max=12, metavar="N", help="For read tables.")] = 1,
    deliver: Annotated[int, typer.Option("--deliver", min=1, max=12, metavar="N", help="For messages.")] = 1,
    brokers: Annotated[int, typer.Option("--brokers", min=1, max=3, metavar="N", help="Of Kafka.")] = 1,
    sample: Annotated[
        bool, typer.Option("--sample", help="Fill an empty data folder with a generated portfolio first.")
    ] = False,
) -> None:
    """Run PostgreSQL, Kafka and a process for each role on this machine, and say where to look. For trials.

    Needs Java 17 and Maven, which fetches Kafka. A process that ends is started again.
    """
    from adapters.stop import check
    from api import logs
    from api.processes.local_cluster import LocalCluster

    logs.configure()
    check_door("127.0.0.1", port, None)
    folder = (data or _FOLDER).absolute()
    if sample:
        seed_sample(folder)
    made = LocalCluster(
        folder, count={"react": react, "project": project, "deliver": deliver}, brokers=brokers, api_port=port
    )
    with until_told() as stop:

        def starting(part: str) -> None:
            check(stop)
            note(f"starting {part}")

        made.start(starting)
        try:
            _show(made, port)
            while not stop.wait(_LOOK_SECONDS):
                if made.failure is not None:
                    raise made.failure
            note("ending")
        finally:
            made.stop()
    failed = [
        each.name for each in made.members if each.process is not None and each.process.returncode not in _TOLD_TO_END
    ]
    if failed:
        raise Problem(f"did not end as told: {', '.join(failed)}", hint=f"What they said is in {made.logs}")


def _show(made: "LocalCluster", port: int) -> None:
    print_table(_PROCESSES, ((each.name, each.health, made.log_of(each)) for each in made.members))
    say(f"The report:     http://127.0.0.1:{port}/")
    say(f"The database:   --data {made.folder}")
    say(f"Kafka:          KAFKA_BOOTSTRAP_SERVERS={made.kafka.bootstrap_servers}")
    say("SIGTERM or Ctrl-C ends all of it.")
