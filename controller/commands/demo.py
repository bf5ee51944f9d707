"""`neurotwin demo`: a simulated plant, its controller and the console in one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from controller.commands.choice import Json, Process, TrustCode, process_named
from controller.commands.plant import checked, speed_of
from controller.settings import load
from controller.support.printing import told
from controller.support.user_error import UserError


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
