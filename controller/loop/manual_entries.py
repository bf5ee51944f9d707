"""Manual entries: samples with their volume and results, and notes. Each is judged like any request."""

from __future__ import annotations

import math
from dataclasses import replace

from controller.loop.records import ENTRY_KINDS, Intent, Ruling, Situation
from twin.signals import Assay, Plant, Role, Snapshot


def entered(snapshot: Snapshot, situation: Situation, plant: Plant) -> tuple[Snapshot, tuple[Ruling, ...]]:
    """The snapshot with the results that were entered since the last, and what became of each entry.

    A result speaks of the time its sample was drawn, as one from the laboratory's own tags does.
    """
    assays = list(snapshot.assays)
    rulings = []
    for intent in situation.intents:
        if intent.kind not in ENTRY_KINDS:
            continue
        objection = _objection(intent, snapshot, situation, plant)
        rulings.append(Ruling(intent, not objection, objection or _thanks(intent)))
        if not objection and intent.sample is not None:
            assays += [a for a in intent.sample.assays if a not in assays]  # a replay brings them along already
    return replace(snapshot, assays=tuple(assays)) if rulings else snapshot, tuple(rulings)


def _objection(intent: Intent, snapshot: Snapshot, situation: Situation, plant: Plant) -> str:
    """Why the entry cannot be taken, or an empty string."""
    sample = intent.sample
    if intent.kind == "note":
        return "" if intent.reason else "the note says nothing"
    if sample is None:
        return "the sample says nothing"
    if not (math.isfinite(sample.volume_l) and sample.volume_l >= 0.0):
        return f"a sample of {sample.volume_l} L cannot be"
    if sample.drawn_at > snapshot.time:
        return f"the sample is dated {sample.drawn_at:%Y-%m-%d %H:%M}, after the present {snapshot.time:%Y-%m-%d %H:%M}"
    if situation.batch_start is not None and sample.drawn_at < situation.batch_start:
        return f"the sample is dated before the batch began, {situation.batch_start:%Y-%m-%d %H:%M}"
    if sample.volume_l == 0.0 and not sample.assays:
        return "the sample has neither a volume nor a result"
    objections = [_of_assay(assay, plant) for assay in sample.assays]
    return next((sentence for sentence in objections if sentence), "")


def _of_assay(assay: Assay, plant: Plant) -> str:
    assayed = {v.name: v for v in plant.having(Role.ASSAYED)}
    variable = assayed.get(assay.variable)
    if variable is None:
        return f"{assay.variable} is not assayed here; {', '.join(assayed) or 'nothing'} is"
    if assay.unit != variable.unit:
        return f"{assay.variable} is given in {assay.unit}, and kept in {variable.unit}"
    if not math.isfinite(assay.value) or not variable.low <= assay.value <= variable.high:
        return f"{assay.variable} of {assay.value:g} {assay.unit} is not within {variable.low:g} to {variable.high:g}"
    return ""


def _thanks(intent: Intent) -> str:
    if intent.sample is None:
        return f"noted: {intent.reason}"
    told = [f"{a.variable} {a.value:g} {a.unit}" for a in intent.sample.assays]
    taken = [f"{1000 * intent.sample.volume_l:g} mL taken"] if intent.sample.volume_l else []
    return f"sample of {intent.sample.drawn_at:%Y-%m-%d %H:%M}: {', '.join(taken + told)}"
