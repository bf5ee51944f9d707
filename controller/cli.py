"""`neurotwin`: the command line, where the parts are put together.

Each command imports what it needs, so that --help and bad input answer at once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from controller.bench.command import app as bench
from controller.faults import Fault
from controller.lifeline import die_with_parent, until_stopped
from controller.records import Mode
from controller.settings import default_config, load

app = typer.Typer(
    help="Bioprocess control with a digital twin and a neuromorphic learner, over OPC UA.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(bench, name="bench")

Config = Annotated[Path, typer.Argument(help="The configuration (TOML); `neurotwin init DIR` writes one.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")]


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
    except Fault as fault:
        print(f"neurotwin: {fault}", file=sys.stderr)
        raise SystemExit(2) from None


@app.command()
def demo(
    plant: Annotated[str, typer.Option(help="Which plant to simulate.")] = "penicillin",
    speed: Annotated[str, typer.Option(help="Process seconds per second, or max (lockstep).")] = "300",
    hours: Annotated[float | None, typer.Option(help="Stop at this age of the batch.")] = None,
    headless: Annotated[bool, typer.Option(help="No console; the loop runs in auto.")] = False,
    seed: Annotated[int, typer.Option(help="Which simulated batch.")] = 7,
    out: Annotated[Path | None, typer.Option(help="Where to keep the run; a new folder under var by default.")] = None,
    as_json: Json = False,
) -> None:
    """Run a simulated plant, its controller and the console together; Ctrl-C ends all of them."""
    from controller import demo as demonstration

    if plant != "penicillin":
        raise Fault(f"no plant is called {plant!r}; the one there is: penicillin")
    if hours is not None and not 0 < hours <= 230:
        raise Fault(f"--hours {hours:g}: give a batch age between 0 and 230 h")
    if headless:
        report = demonstration.headless(speed_of(speed), hours or 24.0, seed, out)
        print(json.dumps(report) if as_json else demonstration.told(report))
    elif as_json:
        raise Fault("--json belongs to --headless")
    else:
        demonstration.interactive(speed_of(speed), hours, seed, out)


@app.command()
def plant(
    config: Config,
    speed: Annotated[str, typer.Option(help="Process seconds per second, or max (lockstep).")] = "1",
    seed: Annotated[int, typer.Option(help="Which simulated batch.")] = 7,
    checkpoint: Annotated[Path | None, typer.Option(help="Kept at every scan; a restart goes on from it.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Write the true states here, for a judge only.")] = None,
) -> None:
    """Serve the simulated plant over OPC UA."""
    from plant_sim import server

    settings = load(config)
    options = server.Options(
        endpoint=settings.connection.endpoint,
        seed=seed,
        speed=speed_of(speed),
        checkpoint=checkpoint,
        truth=truth,
        lease_s=settings.supervisor.lease_s,
    )
    try:
        until_stopped(_announced(server.serve, options))
    except (OSError, ValueError) as fault:
        raise Fault(f"the simulated plant cannot run at {options.endpoint}: {fault}") from fault


async def _announced(serve: Callable[[Any, asyncio.Event], Coroutine[Any, Any, None]], options: Any) -> None:
    """Serve until cancelled, and print one line once clients can connect."""
    ready = asyncio.Event()
    serving = asyncio.create_task(serve(options, ready))
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if ready.is_set():
            print(f"plant ready {options.endpoint}", flush=True)
        await serving
    finally:
        waiting.cancel()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@app.command()
def run(
    config: Config,
    mode: Annotated[Mode | None, typer.Option(help="Ask for this mode once the first scan is in.")] = None,
    hours: Annotated[float | None, typer.Option(help="Stop at this age of the batch.")] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the plant at the start.")] = 30.0,
) -> None:
    """Run the controller: read, learn, forecast, advise or act, record."""
    from controller.assembly import assemble
    from controller.edge.serve import control

    settings = load(config)
    until_stopped(control(settings, assemble, wait_s=wait, until_hours=hours, wanted=mode))


@app.command()
def console(config: Config) -> None:
    """Serve the operator console."""
    from hmi.console import app as page

    settings = load(config)
    gateway = f"http://{settings.gateway.host}:{settings.gateway.port}"
    page.run(gateway, settings.console.host, settings.console.port)


@app.command("patient")
def patient_scenario(
    arm: Annotated[str, typer.Option(help="Which kind of patient; --arms all for every kind.")] = "responder",
    seed: Annotated[int, typer.Option(help="Which simulated patient.")] = 0,
    arms: Annotated[str, typer.Option(help="Kinds, separated by commas, or all; with --seeds.")] = "",
    seeds: Annotated[str, typer.Option(help="A:B runs seeds A to B-1 of every kind and reports fractions.")] = "",
    data: Annotated[Path | None, typer.Option(help="Your own rows (CSV: time, stress, sleep, mood).")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to put the figure and the table.")] = None,
    as_json: Json = False,
) -> None:
    """Run the SSRI reference scenario. Research use only; advisory; not a medical device."""
    from controller import scenario
    from controller.demo import told
    from controller.patient_file import rows_from_csv
    from controller.pharmacoloop.patient import DISCLAIMER
    from hmi import patient_figure

    if seeds:
        chosen = patient_arms(arms or arm)
        shares = scenario.run_seeds(chosen, seeds_of(seeds), progress=_dots)
        report = {"disclaimer": DISCLAIMER, "seeds": seeds, "arms": shares}
        print(json.dumps(report) if as_json else f"{told(shares)}\n{DISCLAIMER}")
        return
    if data is not None:
        result = scenario.run(data.name, rows=rows_from_csv(data))
    else:
        result = scenario.run(patient_arms(arm)[0], seed)
    content = result.as_json()
    folder = out or (None if as_json else Path("var") / "patient")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        patient_figure.draw(content, folder / "patient.png")
        patient_figure.write_table(content, folder / "patient.csv")
    if as_json:
        print(json.dumps(content))
        return
    shown([patient_row(i, content["suggestions"]) for i in content["intervals"]], False)
    print(f"\n{folder}/patient.png and patient.csv written.\n{DISCLAIMER}")


def patient_row(interval: dict[str, Any], suggestions: list[dict[str, Any]]) -> dict[str, str]:
    """One line of the patient's table; what was not reported is a dash."""
    kinds = [s["kind"] for s in suggestions if s["index"] == interval["index"]]
    numbers = {name: "-" if interval[name] is None else f"{interval[name]:.2f}" for name in ("stress", "sleep", "mood")}
    when = {"day": str(interval["day"]), "hour": f"{interval['hour']:g}"}
    return {**when, **numbers, "score": f"{interval['score']:.3f}", "suggestion": ", ".join(kinds)}


def patient_arms(text: str) -> list[str]:
    """The kinds of patient that this names."""
    from plant_sim.patient import Arm

    known = [str(a) for a in Arm]
    chosen = known if text == "all" else [name.strip() for name in text.split(",")]
    for name in chosen:
        if name not in known:
            raise Fault(f"no patient is called {name!r}; there are: {', '.join(known)}")
    return chosen


def seeds_of(text: str) -> range:
    """The seeds that A:B names."""
    first, _, last = text.partition(":")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise Fault(f"--seeds {text}: give A:B with A below B, such as 500:520")
    return range(int(first), int(last))


def _dots(done: int, of: int) -> None:
    sys.stderr.write(f"\r{done} of {of} patients" + ("\n" if done == of else ""))
    sys.stderr.flush()


@app.command()
def check(
    config: Config,
    connect: Annotated[bool, typer.Option(help="Also compare every tag with the server; nothing is written.")] = False,
    as_json: Json = False,
) -> None:
    """Validate a configuration, and with --connect its tags, units and ranges against the server."""
    from controller.edge import check as checking

    settings = load(config)
    rows = asyncio.run(checking.rows_connected(settings)) if connect else checking.rows(settings)
    shown(rows, as_json)
    if any(row["verdict"] != "ok" for row in rows):
        raise SystemExit(2)


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="Where to put it; nothing is overwritten.")]) -> None:
    """Write a configuration to start from."""
    target = folder / "penicillin.toml"
    if target.exists():
        raise Fault(f"{target} exists already; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(default_config("penicillin"), target)
    print(f"wrote {target}; next: neurotwin check {target} --connect")


def speed_of(text: str) -> float | None:
    """Process seconds per second; None for lockstep."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed <= 100_000.0:
        raise Fault(f"--speed {text}: give a number above 0 (at most 100000), or max")
    return speed


def shown(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows as a table of equal columns, or as JSON."""
    if as_json:
        print(json.dumps({"rows": rows}))
        return
    columns = list(rows[0]) if rows else []
    table = [columns, *([str(row[c]) for c in columns] for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(columns))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
