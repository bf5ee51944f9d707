"""`neurotwin bench`: the measurements behind the claims."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from controller.commands.choice import Json, Process, TrustCode, process_named
from controller.support.printing import told

Quick = Annotated[bool, typer.Option(help="A rehearsal in seconds, whose figures mean little.")]

app = typer.Typer(help="Measure what NeuroTwin claims.", no_args_is_help=True, add_completion=False)


@app.callback()
def bench() -> None:
    """Measure what NeuroTwin claims."""


@app.command()
def neurocore(
    process: Process = None,
    trust_code: TrustCode = False,
    as_json: Json = False,
    resources: Annotated[bool, typer.Option(help="Add what each network would take of a Loihi 2 chip.")] = False,
    quick: Annotated[bool, typer.Option(help="A rehearsal in half a minute, whose figures mean little.")] = False,
    part: Annotated[
        list[str] | None, typer.Option(help="Only this part, of networks, accuracy and novelty; may be repeated.")
    ] = None,
) -> None:
    """Networks, accuracy against the comparators, and novelty detection; some ten minutes on one core."""
    from controller.bench import report  # brings every learner along

    unknown = [name for name in part or () if name not in report.PARTS]
    if unknown:
        raise typer.BadParameter(f"no part is called {unknown[0]!r}; there are {', '.join(report.PARTS)}")
    of = process_named(process, trust_code)
    found = report.neurocore(of, _tell, quick, resources, tuple(part or report.PARTS))
    print(json.dumps(found) if as_json else report.told(found))


@app.command()
def opcua(process: Process = None, trust_code: TrustCode = False, as_json: Json = False, quick: Quick = False) -> None:
    """What reading, writing and watching a plant costs at 50 and 1000 tags; some two minutes."""
    from controller.bench import opcua as bench_opcua

    calls, seconds = (20, 3.0) if quick else (200, 20.0)
    _print(bench_opcua.measured(process_named(process, trust_code), _tell, calls, seconds), as_json)


@app.command()
def loop(
    process: Process = None,
    trust_code: TrustCode = False,
    as_json: Json = False,
    quick: Quick = False,
    reference: Annotated[bool, typer.Option(help="With NeuroCore's reference instead of Lava.")] = False,
) -> None:
    """What a turn and a whole scan cost over real OPC UA, with and without looking ahead; some two minutes."""
    from controller.bench import loop as bench_loop

    of = process_named(process, trust_code)
    _print(bench_loop.measured(of, _tell, 20 if quick else 240, "reference" if reference else None), as_json)


@app.command()
def historian(as_json: Json = False, quick: Quick = False) -> None:
    """Commit, bulk, trends, archive and outbox with 100 tags at a scan a second for seven days; minutes, and 1.5 GB."""
    from controller.bench import historian as measured

    _print(measured.historian(_tell, quick), as_json)


@app.command()
def console(
    as_json: Json = False,
    minutes: Annotated[float, typer.Option(min=0.1, help="Over which memory is watched.")] = 60.0,
    quick: Quick = False,
) -> None:
    """Trends of 20 tags over seven days, ten pages at a turn a second, and memory over an hour, in Chromium."""
    from controller.bench import console as measured

    short: dict[str, Any] = {"days": 0.25, "clients": 4, "opens": 2, "watch_s": 4.0} if quick else {}
    _print(measured.measured(_tell, min(minutes, 0.2) if quick else minutes, **short), as_json)


@app.command()
def soak(
    process: Process = None,
    trust_code: TrustCode = False,
    as_json: Json = False,
    kills: Annotated[int, typer.Option(min=1, help="How often each of plant and controller is killed.")] = 20,
    hours: Annotated[float, typer.Option(min=0.1, help="Process hours to reach.")] = 24.0,
    speed: Annotated[float, typer.Option(min=1.0, help="Process seconds per second.")] = 150.0,
    seed: Annotated[int, typer.Option(help="Of faults, order and moments.")] = 500,
) -> None:
    """A day of accelerated time with faults, in which plant and controller are killed; some half an hour."""
    from controller.bench import soak as bench_soak

    report = bench_soak.measured(process_named(process, trust_code), _tell, kills, hours, speed, seed)
    _print(report, as_json)
    if report["objections"]:
        raise SystemExit(1)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print(report: dict[str, Any], as_json: bool) -> None:
    print(json.dumps(report) if as_json else told(report))


@app.command()
def faults(
    process: Process = None,
    trust_code: TrustCode = False,
    as_json: Json = False,
    seeds: Annotated[str, typer.Option(help="A:B runs seeds A to B-1; 500 and above are for reports.")] = "500:520",
    fault: Annotated[list[str] | None, typer.Option(help="Only this fault; may be repeated.")] = None,
) -> None:
    """What notices each fault of the simulated plant, how soon, and what the loop does; a minute or two per seed."""
    from controller.bench import faults as measured

    first, _, last = seeds.partition(":")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise typer.BadParameter(f"{seeds}: give A:B with A below B, such as 500:520")
    of = process_named(process, trust_code)
    known = measured.known(of)
    unknown = [name for name in fault or () if name not in known]
    if unknown:
        raise typer.BadParameter(f"no fault is called {unknown[0]!r}; there are {', '.join(known)}")
    found = measured.faults(of, _tell, range(int(first), int(last)), tuple(fault or known))
    print(json.dumps(found) if as_json else measured.told(found))


@app.command()
def twin(
    process: Process = None,
    trust_code: TrustCode = False,
    as_json: Json = False,
    quick: Quick = False,
    part: Annotated[
        list[str] | None,
        typer.Option(help="Only this part, of ensemble, mpc, bindings, estimation, closed_loop; may be repeated."),
    ] = None,
) -> None:
    """Ensembles against LSODA, optimal control, filter, estimates and bands on unseen batches; some five minutes."""
    from controller.bench import twin as twins

    unknown = [name for name in part or () if name not in twins.PARTS]
    if unknown:
        raise typer.BadParameter(f"no part is called {unknown[0]!r}; there are {', '.join(twins.PARTS)}")
    _print(twins.bench(process_named(process, trust_code), _tell, tuple(part or twins.PARTS), quick), as_json)


if __name__ == "__main__":
    app()
