"""`neurotwin`: the command line, where the parts are put together.

Each command imports what it needs, so that --help and bad input answer at once.
"""

from __future__ import annotations

import logging
import sys

import structlog
import typer

from controller.commands.audit import app as audit
from controller.commands.bench import app as bench
from controller.commands.campaign import campaign
from controller.commands.certs import app as certs
from controller.commands.check import check
from controller.commands.console import console
from controller.commands.demo import demo
from controller.commands.export import export
from controller.commands.fit import fit
from controller.commands.grafana import grafana
from controller.commands.historian import historian
from controller.commands.influx import influx
from controller.commands.init import init
from controller.commands.plant import plant
from controller.commands.replay import replay
from controller.commands.report import report
from controller.commands.run import run
from controller.commands.scenario import patient_is_installed
from controller.commands.tags import tags
from controller.commands.users import app as users
from controller.support.child_process import die_with_parent
from controller.support.user_error import UserError
from controller.support.visible import in_log, in_record, visible_lines

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
app.command("demo")(demo)
app.command("run")(run)
app.command("console")(console)
app.command("check")(check)
app.command("init")(init)
if patient_is_installed():
    from controller.commands.patient import patient

    app.command("patient")(patient)


def main() -> None:
    """Run the command line; a fault that a person can mend is one sentence on standard error and exit code 2."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("asyncua").setLevel(logging.ERROR)
    for handler in logging.getLogger().handlers:
        handler.addFilter(in_record)
    structlog.configure(
        processors=[
            in_log,
            structlog.processors.TimeStamper("%H:%M:%S"),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    die_with_parent()
    try:
        app()
    except UserError as fault:
        print(f"neurotwin: {visible_lines(str(fault))}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
