"""What a patient's run leaves behind as plain data: the scenario with what else the files held, and the versions.

The figure, the table, the report and the FHIR bundle are all made of this content.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

from controller.patient.audit import pseudonym
from controller.patient.data import fhir_out
from controller.patient.data.channels import BY_NAME, EXTRAS
from controller.patient.data.recording import gaps
from controller.patient.data.samples import Recording, Sample
from controller.patient.regimen import Intake, Regimen
from controller.patient.scenario import Scenario
from controller.patient.snapshots import START
from controller.patient.trail import head
from controller.support.hash_chain import digest

SIMULATED = "The first ten samples of most arms are Table 1 of Nozari 2025; all others are generated, not observed."


def recorded(scenario: Scenario) -> Recording:
    """The scenario's own rows as a recording, for a patient who came from no file."""
    rows = tuple(Sample(i.time_h, i.stress, i.sleep, i.mood, i.dose_mg, i.origin) for i in scenario.intervals)
    treatment = scenario.treatment
    return Recording(rows, drug=treatment.pk.drug, regimens=treatment.regimens, start=START, notes=(SIMULATED,))


def person_of(recording: Recording) -> str:
    """Whom the files are about as they say it, and else by what they hold: never by the name of a file."""
    rows = [[s.time_h, s.stress, s.sleep, s.mood, s.dose_mg] for s in recording.samples]
    return recording.person or f"patient-{digest({'samples': rows})[:12]}"


def content_of(scenario: Scenario, recording: Recording | None = None, trail: Sequence[str] = ()) -> dict[str, Any]:
    """The scenario's JSON, and beside it wearables, levels, data quality and versions. `trail` is its audit."""
    data = recording or recorded(scenario)
    content = scenario.as_json()
    for interval, sample in zip(content["intervals"], data.samples, strict=True):
        interval["extras"] = dict(sample.extras)
    opened: dict[str, Any] = json.loads(trail[0]) if trail else {}
    versions = {k: opened[k] for k in ("software", "model", "parameters_sha256", "pharmacokinetics") if k in opened}
    return content | {
        "extras": _extras(data.samples),
        "levels": [{"time_h": level.time_h, "ng_per_ml": level.ng_per_ml} for level in data.levels],
        "data": {
            "samples": len(data.samples),
            "complete": sum(None not in (s.stress, s.sleep, s.mood) for s in data.samples),
            "missing": gaps(data.samples),
            "starts": None if data.start is None else data.start.isoformat(),
            "other_drugs": sorted({other.name for other in data.others}),
            "notes": list(data.notes),
            "unchecked": list(data.unchecked),
            "withheld": list(data.withheld),
        },
        "versions": versions
        | {"neurocore": scenario.backend}
        | ({"audit_rows": len(trail), "audit_head": head(trail)} if trail else {}),
    }


def bundle_of(
    scenario: Scenario, recording: Recording | None = None, trail: Sequence[str] = (), patient_id: str = ""
) -> dict[str, Any]:
    """The FHIR R4 Bundle of the run: inputs, score, and every review with its guidance.

    The dose that a draft proposes stands in the audit: without it there are no drafts.
    """
    data = recording or recorded(scenario)
    about = fhir_out.About(
        pseudonym=patient_id or pseudonym(scenario),
        disclaimer=scenario.disclaimer,
        drug=scenario.treatment.pk.drug,
        start=data.start or START,
        simulated=recording is None,
    )
    content, proposed = scenario.as_json(), _proposed(trail)
    for review in content["suggestions"]:
        a_day = proposed.get(review["id"], ())
        review["proposed"] = _regimen(about.drug, a_day, about.start - START) if a_day else None
    return fhir_out.bundle(about, data, content)


def _proposed(trail: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """By suggestion, the single doses of a day that it arrives at."""
    rows = [row for row in map(json.loads, trail) if row["kind"] == "suggestion"]
    return {row["identity"]["id"]: row["decision"]["single_doses"] for row in rows}


def _regimen(drug: str, a_day: Sequence[Mapping[str, Any]], by: timedelta) -> Regimen:
    """A day's single doses as a regimen on the recording's own clock."""
    cycle = tuple(Intake(dose["at_h"], dose["mg"]) for dose in a_day)
    return Regimen(drug, cycle, start=datetime.fromisoformat(a_day[0]["at"])).moved(by)


def write_bundle(content: dict[str, Any], path: Path) -> None:
    """The bundle as a file."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_audit(trail: Sequence[str], path: Path) -> None:
    """The audit as a file of JSON lines."""
    path.write_text("".join(f"{line}\n" for line in trail), encoding="utf-8")


def _extras(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Of each further channel that was reported: its unit and what it was."""
    told = []
    for name in EXTRAS:
        values = [s.extras[name] for s in samples if name in s.extras]
        if values:
            channel, spread = BY_NAME[name], {"low": min(values), "mean": fmean(values), "high": max(values)}
            told.append({"name": name, "text": channel.text, "unit": channel.unit, "samples": len(values), **spread})
    return told
