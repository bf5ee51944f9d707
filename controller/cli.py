"""`neurotwin`: the command line, where the parts are put together.

Each command imports what it needs, so that --help and bad input answer at once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer

from controller.commands.audit import app as audit
from controller.commands.bench import app as bench
from controller.commands.campaign import campaign
from controller.commands.certs import app as certs
from controller.commands.choice import Json, Process, TrustCode, process_named
from controller.commands.export import export
from controller.commands.fit import fit
from controller.commands.grafana import grafana
from controller.commands.historian import historian
from controller.commands.influx import influx
from controller.commands.initial import write_configuration
from controller.commands.plant import checked, plant, speed_of
from controller.commands.replay import replay
from controller.commands.report import report
from controller.commands.scenario import patient_is_installed
from controller.commands.tags import tags
from controller.commands.users import app as users
from controller.loop.records import Mode
from controller.settings import load
from controller.support.child_process import die_with_parent, until_stopped
from controller.support.printing import shown, told
from controller.support.user_error import UserError

app = typer.Typer(
    help="Bioprocess control with a digital twin and a neuromorphic learner, over OPC UA.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(bench, name="bench")
app.add_typer(audit, name="audit")
app.add_typer(certs, name="certs")
app.add_typer(historian, name="historian")
app.add_typer(influx, name="influx")
app.command("fit")(fit)
app.command("export")(export)
app.command("grafana")(grafana)
app.command("campaign")(campaign)
app.command("plant")(plant)
app.command("replay")(replay)
app.command("tags")(tags)
app.add_typer(users, name="users")
app.command("report")(report)
if patient_is_installed():
    from controller.commands.patient import patient

    app.command("patient")(patient)

Config = Annotated[Path, typer.Argument(help="The configuration (TOML); `neurotwin init DIR` writes one.")]


def main() -> None:
    """Run the command line; a fault that a person can mend is one sentence on standard error and exit code 2."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("asyncua").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper("%H:%M:%S"),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    die_with_parent()
    try:
        app()
    except UserError as fault:
        print(f"neurotwin: {fault}", file=sys.stderr)
        raise SystemExit(2) from None


@app.command()
def demo(
    process: Process = None,
    trust_code: TrustCode = False,
    speed: Annotated[str, typer.Option(help="Process seconds per second, or max (lockstep).")] = "300",
    hours: Annotated[float | None, typer.Option(help="Stop at this age of the batch.")] = None,
    headless: Annotated[bool, typer.Option(help="No console; the loop runs in auto.")] = False,
    seed: Annotated[int, typer.Option(help="Which simulated batch.")] = 7,
    out: Annotated[Path | None, typer.Option(help="Where to keep the run; a new folder under var by default.")] = None,
    faults: Annotated[Path | None, typer.Option(help="What goes wrong with the plant, and when (TOML).")] = None,
    as_json: Json = False,
) -> None:
    """Run a simulated plant, its controller and the console together; Ctrl-C ends all of them."""
    shown_process, pace, script = process_named(process, trust_code), speed_of(speed), checked(faults)
    longest = load(shown_process.configuration).batch.length_h
    if hours is not None and not 0 < hours <= longest:
        raise UserError(f"--hours {hours:g}: give a batch age between 0 and {longest:g} h")
    if as_json and not headless:
        raise UserError("--json belongs to --headless")
    from controller.demo import demo as demonstration

    if headless:
        report = demonstration.headless(shown_process, pace, hours or 24.0, seed, out, script)
        print(json.dumps(report) if as_json else told(report))
    else:
        demonstration.interactive(shown_process, pace, hours, seed, out, script)


@app.command()
def run(
    config: Config,
    mode: Annotated[Mode | None, typer.Option(help="Ask for this mode once the first scan is in.")] = None,
    hours: Annotated[float | None, typer.Option(help="Stop at this age of the batch.")] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the plant at the start.")] = 30.0,
) -> None:
    """Run the controller: read, learn, forecast, advise or act, record."""
    settings = load(config)
    from controller.assembly import assemble
    from controller.edge.serve import control

    until_stopped(control(settings, assemble, wait_s=wait, until_hours=hours, wanted=mode, config=config))


@app.command()
def console(
    config: Annotated[list[Path], typer.Argument(help="The configuration of each reactor; [console] of the first.")],
) -> None:
    """Serve the operator console of one reactor, or of several."""
    settings = [load(path) for path in config]
    from controller.commands.consoles import serve

    serve(settings)


@app.command()
def check(
    config: Config,
    connect: Annotated[bool, typer.Option(help="Also compare every tag with the server; nothing is written.")] = False,
    propose: Annotated[bool, typer.Option(help="Browse the server instead, and propose what its tags are.")] = False,
    as_json: Json = False,
) -> None:
    """Validate a configuration, and with --connect its tags, units and ranges against the server."""
    if propose:
        tags(str(config), as_json=as_json)
        return
    settings = load(config)
    from controller.edge import check as checking

    rows = asyncio.run(checking.rows_connected(settings)) if connect else checking.rows(settings)
    shown(rows, as_json)
    if any(row["verdict"] != "ok" for row in rows):
        raise SystemExit(2)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to put it; nothing is overwritten.")],
    process: Process = None,
    trust_code: TrustCode = False,
) -> None:
    """Write a configuration to start from."""
    target = write_configuration(process_named(process, trust_code), folder)
    print(f"wrote {target}; next: neurotwin check {target} --connect")


if __name__ == "__main__":
    main()
