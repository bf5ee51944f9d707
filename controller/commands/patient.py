"""`neurotwin patient`: the SSRI reference scenario, one patient, many seeds, a cohort, or one's own data."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.support.printing import progress, shown, told
from controller.support.user_error import UserError


def patient(
    arm: Annotated[str, typer.Option(help="Which kind of patient.")] = "responder",
    seed: Annotated[int, typer.Option(help="Which simulated patient, or cohort.")] = 0,
    arms: Annotated[str, typer.Option(help="Kinds, separated by commas, or all; with --seeds.")] = "",
    seeds: Annotated[str, typer.Option(help="A:B runs seeds A to B-1 of every kind and reports fractions.")] = "",
    cohort: Annotated[int, typer.Option(help="So many virtual patients over kinds and genotypes.")] = 0,
    scheduler: Annotated[str | None, typer.Option(help="A Dask scheduler for the cohort (tcp://host:8786).")] = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="Your own data: CSV, a FHIR bundle, Apple Health; may be repeated.")
    ] = None,
    same_person: Annotated[
        bool, typer.Option(help="The files are about one person, though they name several.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Where to put figure, table, report, bundle and audit.")] = None,
    console: Annotated[bool, typer.Option(help="Play the patient in the operator console.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")
    ] = False,
) -> None:
    """Run the SSRI reference scenario. Research use only; advisory; not a medical device."""
    if seeds:
        _many(_arms(arms or arm), _seeds(seeds), seeds, as_json)
    elif cohort:
        _cohort(cohort, seed, scheduler, as_json)
    elif console:
        _in_console(_arms(arm)[0], seed)
    else:
        _one(_arms(arm)[0], seed, data or [], same_person, out, as_json)


def _one(arm: str, seed: int, data: list[Path], same_person: bool, out: Path | None, as_json: bool) -> None:
    from controller.patient import outputs
    from controller.patient.advice.loop import DISCLAIMER
    from controller.patient.audit import audit
    from controller.patient.data.reader import read
    from controller.patient.scenario import run
    from controller.patient.treatment import treatment_for
    from hmi.patient import figure as patient_figure
    from hmi.patient import report as patient_report

    recording = read(data, same_person=same_person) if data else None
    if recording is None:
        result = run(arm, seed)
    else:
        treatment = treatment_for(recording)
        result = run(outputs.person_of(recording), rows=recording.samples, treatment=treatment, levels=recording.levels)
    trail = audit(result, levels=recording.levels if recording else ())
    content = outputs.content_of(result, recording, trail)
    folder = out or (None if as_json else Path("var") / "patient")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        patient_figure.draw(content, folder / "patient.png")
        patient_figure.write_table(content, folder / "patient.csv")
        patient_report.write(content, folder / "patient.html")
        outputs.write_bundle(outputs.bundle_of(result, recording, trail), folder / "patient.fhir.json")
        outputs.write_audit(trail, folder / "audit.jsonl")
    if as_json:
        print(json.dumps(content))
        return
    shown([_row(i, content["suggestions"]) for i in content["intervals"]], False)
    print(f"\nFigure, table, report, FHIR bundle and audit are in {folder}.\n{DISCLAIMER}")


def _many(arms: list[str], seeds: range, text: str, as_json: bool) -> None:
    from controller.patient.advice.loop import DISCLAIMER
    from controller.patient.claims import run_seeds

    found = run_seeds(arms, seeds, progress=progress)
    report = {"disclaimer": DISCLAIMER, "seeds": text, "arms": found}
    print(json.dumps(report) if as_json else f"{told(found)}\n{DISCLAIMER}")


def _cohort(patients: int, seed: int, scheduler: str | None, as_json: bool) -> None:
    from controller.patient.advice.loop import DISCLAIMER
    from controller.patient.cohort import cohort

    found = dataclasses.asdict(cohort(patients, seed, scheduler, progress=progress))
    print(json.dumps({"disclaimer": DISCLAIMER, **found}) if as_json else f"{told(found)}\n{DISCLAIMER}")


def _in_console(arm: str, seed: int) -> None:
    from controller.patient.advice.loop import DISCLAIMER
    from controller.patient.console import console_beside, serve_patient
    from controller.patient.simulated import samples_of
    from controller.patient.treatment import treatment_of
    from controller.support.child_process import until_stopped

    samples = samples_of(arm, seed)
    print(f"Open http://127.0.0.1:8421 ; Ctrl-C ends it. {DISCLAIMER}", flush=True)
    with console_beside("http://127.0.0.1:8420"), contextlib.suppress(KeyboardInterrupt):
        until_stopped(serve_patient(samples, treatment_of(samples), patient_id=f"{arm}-{seed}"))


def _row(interval: dict[str, Any], suggestions: list[dict[str, Any]]) -> dict[str, str]:
    """One line of the table; what was not reported is a dash."""
    kinds = [s["kind"] for s in suggestions if s["index"] == interval["index"]]
    numbers = {name: "-" if interval[name] is None else f"{interval[name]:.2f}" for name in ("stress", "sleep", "mood")}
    when = {"day": str(interval["day"]), "hour": f"{interval['hour']:g}"}
    return {**when, **numbers, "score": f"{interval['score']:.3f}", "suggestion": ", ".join(kinds)}


def _arms(text: str) -> list[str]:
    from controller.patient.simulated import Arm

    known = [str(a) for a in Arm]
    chosen = known if text == "all" else [name.strip() for name in text.split(",")]
    for name in chosen:
        if name not in known:
            raise UserError(f"no patient is called {name!r}; there are: {', '.join(known)}")
    return chosen


def _seeds(text: str) -> range:
    first, _, last = text.partition(":")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise UserError(f"--seeds {text}: give A:B with A below B, such as 500:520")
    return range(int(first), int(last))
