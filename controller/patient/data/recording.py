"""A recording: all that a patient's files hold together, of the one drug that the twin follows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from controller.patient.advice.stability import CHANNELS
from controller.patient.comedication import Comedication
from controller.patient.data.codes import DRUGS as CODED
from controller.patient.data.grid import Grid
from controller.patient.data.samples import UNDATED, Found, PatientFileFault, Recording, Sample
from controller.patient.data.trust import taken_of
from controller.patient.pharmacology.drugs import DRUGS as MODELLED
from controller.patient.pharmacology.pharmacokinetics import Level


def recording(name: str, found: Found, drug: str | None = None) -> Recording:
    """The samples of everything found in the files called `name`, of one drug."""
    _refuse_twins(found)
    followed, others = _followed(name, found, drug)
    scored = [r.at for r in found.reports if r.channel in CHANNELS]
    if not scored:
        raise PatientFileFault(f"{name} holds no stress, no sleep and no mood")
    intake = taken_of(followed, found, min(scored), max(scored))
    grid = Grid.of(name, scored, [dose.at for dose in intake.doses], found.dated)
    unreadable = tuple(said for drug, said in found.unreadable if drug == followed)
    withheld = tuple(said for drug, said in found.withheld if drug in (None, followed))
    return Recording(
        samples=grid.samples(found, intake.doses),
        levels=_levels(found, followed, grid),
        drug=followed,
        regimens=intake.regimens,
        others=tuple(dict.fromkeys([o for o in found.others if o.name != followed] + _by_doses(found, others))),
        start=grid.start if found.dated else None,
        notes=(*found.notes, *intake.notes),
        unchecked=(*found.unchecked, *unreadable, *_unknown(found, min(scored), max(scored))),
        withheld=(*withheld, *unreadable, *intake.withheld, *_unknown(found, min(scored), max(scored), nameless=True)),
        given=intake.given,
        missed=tuple(sorted(dose.at for dose in intake.doses if dose.mg == 0.0)),
        suicidality=tuple(sorted(found.suicidality)),
        person=next(iter(found.people), ""),
        assumed=intake.assumed,
    )


def _levels(found: Found, drug: str | None, grid: Grid) -> tuple[Level, ...]:
    """The drug's own levels, in order."""
    drawn = [r for r in found.reports if r.channel == "level" and r.drug in ("", drug)]
    levels = sorted((r.at, r.value) for r in drawn if r.value is not None)
    return tuple(Level(grid.hours(at), value) for at, value in levels)


def gaps(samples: Sequence[Sample]) -> dict[str, int]:
    """How many samples lack each channel of the score."""
    return {c: sum(getattr(s, c) is None for s in samples) for c in CHANNELS}


def _refuse_twins(found: Found) -> None:
    """The same thing said twice is a mistake that nobody here can resolve."""
    seen: dict[tuple[datetime, str, str], str] = {}
    said = [((r.at, r.channel, r.source), r.where) for r in found.reports]
    said += [((d.at, d.drug, ""), d.where) for d in found.doses]
    for key, where in said:
        if key in seen:
            at = key[0]
            when = f"{at:%Y-%m-%d %H:%M} UTC" if found.dated else f"{(at - UNDATED) / timedelta(hours=1):g} h"
            raise PatientFileFault(f"{where} repeats {seen[key]}: {key[1]} at {when}")
        seen[key] = where


def _followed(name: str, found: Found, drug: str | None) -> tuple[str | None, tuple[str, ...]]:
    """The drug that the twin follows, and the others."""
    drugs = sorted({d.drug for d in found.doses} | {r.drug for r, _ in found.regimens})
    drugs = drugs or sorted({d for d, _ in [*found.withheld, *found.unreadable, *found.dispensed] if d in CODED})
    drugs = drugs or sorted({r.drug for r in found.reports if r.drug in MODELLED})
    if drug is not None and drug not in drugs:
        raise PatientFileFault(f"{name} holds no dose of {drug}; it holds doses of {', '.join(drugs) or 'nothing'}")
    ours = [d for d in drugs if d in MODELLED] or drugs
    if drug is None and len(ours) > 1:
        raise PatientFileFault(f"{name} holds doses of {' and '.join(ours)}; say which one the twin is to follow")
    followed = drug or (ours[0] if ours else None)
    return followed, tuple(d for d in drugs if d != followed)


def _by_doses(found: Found, drugs: Sequence[str]) -> list[Comedication]:
    """Other drugs by their doses on record, for a file that has nothing else."""
    told = []
    for drug in drugs:
        at = [d.at for d in found.doses if d.drug == drug and d.mg > 0]
        if at and not any(other.name == drug for other in found.others):
            told.append(Comedication(drug, min(at), max(at)))
    return told


def _unknown(found: Found, first: datetime, last: datetime, nameless: bool = False) -> list[str]:
    """Sentences on drugs that are not known here and may act while there are reports; or on those without a name."""
    return [
        said for said, told, without in found.unknown if told.acts_between(first, last) and (without or not nameless)
    ]
