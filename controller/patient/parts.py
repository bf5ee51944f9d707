"""Everything one patient is served by: the plant's channels, the twin's ensemble, NeuroCore and the loop's settings."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import timedelta

from controller.loop.envelope import Envelope
from controller.loop.mode_ladder import Gates
from controller.loop.turn import Cadence, Engine, Parts
from controller.neurocore import coding, rates
from controller.neurocore.backend import open_backend
from controller.neurocore.core import NeuroCore
from controller.neurocore.design import Design
from controller.neurocore.rates import RateLearner
from controller.patient import model as patient
from controller.patient.advice.case import Treatment
from controller.patient.advice.loop import PatientLoop
from controller.patient.advice.stability import SAMPLING
from controller.patient.advice.watch import StabilityWatch
from controller.patient.pharmacology.drugs import DRUGS
from controller.patient.pharmacology.pharmacokinetics import Pharmacokinetics
from controller.patient.snapshots import PLANT
from twin.engine import TwinEngine
from twin.estimate import Tuning
from twin.forecast import Horizon
from twin.records import Correction, Estimate, Forecast, Plan, Population, Track
from twin.signals import Snapshot

ENVELOPE = Envelope(limits=(), bounds=(), evidence=("stress", "sleep", "mood"))
GATES = Gates(novelty_max=0.95, nis_ratio_max=4.0, patience=3)  # of a mode that an advisory plant never has
CADENCE = Cadence(
    plan_every=SAMPLING, command_valid=SAMPLING, longest_gap=timedelta(days=365), longest_ahead=timedelta(days=1000)
)
# A wild report is set aside once; said twice it is believed, for a relapse is sudden too (design).
TUNING = Tuning(patience=1)
# One look every twelve hours. A response is the patient's own and does not fade as a batch's quirks do (design).
OUTLOOK = Horizon(fade_h=24.0 * 30, points=15, hold_steps=48)
MEMBERS = 16  # of the ensemble: one block of lanes (design)
LEARNED = ("response", "bias")  # by NeuroCore
DOSES_IN_BODY = 3.0  # of the greatest daily dose: as much drug as the code of NeuroCore reaches (design)


def neuro_core_of(backend: str, pk: Pharmacokinetics) -> NeuroCore:
    """A NeuroCore that learns a patient's response and bias, and scores the stability."""
    population, learner = _design(pk)
    network = Design(len(population.centres), len(LEARNED))
    return NeuroCore(open_backend(backend, network, 0), learner, population, StabilityWatch())


@functools.lru_cache(maxsize=64)
def _population(drug: str) -> Population:
    """What NeuroCore's network looks at, the same for all on one drug."""
    body = DOSES_IN_BODY * DRUGS[drug].cap_mg
    return coding.population({"effect": (0.0, 1.0), "tolerance": (0.0, 1.0), "central": (0.0, body)}, 0)


@functools.lru_cache(maxsize=64)
def _design(pk: Pharmacokinetics) -> tuple[Population, RateLearner]:
    """The population of NeuroCore's network, and what it learns."""
    population = _population(pk.drug)
    model = patient.model(pk)
    learned = [m for m in model.multipliers if m.name in LEARNED]
    return population, rates.design(population, learned, model, PLANT.variables, rates.AT_ONCE)


class PatientEngine:
    """The TwinEngine with a patient's ensemble."""

    def __init__(self, twin: TwinEngine) -> None:
        self._twin = twin

    def assimilate(self, track: Track | None, snapshot: Snapshot) -> Track:
        """The belief after this snapshot."""
        return self._twin.assimilate(track, snapshot)

    def forecast(self, estimate: Estimate, correction: Correction, plan: Plan) -> Forecast:
        """The future under a plan."""
        return self._twin.forecast(estimate, correction, plan, MEMBERS)


def parts_of(treatment: Treatment, core: NeuroCore) -> Parts:
    """Everything one patient is served by."""
    engine = PatientEngine(_engine(treatment.pk))
    return Parts(PLANT, engine, core, PatientLoop(treatment, engine), ENVELOPE, GATES, CADENCE)


@functools.lru_cache(maxsize=64)
def _engine(pk: Pharmacokinetics) -> TwinEngine:
    return TwinEngine(PLANT, patient.model(pk), TUNING, OUTLOOK)


def replayed(engine: Engine, snapshots: Sequence[Snapshot]) -> Track | None:
    """The belief after these snapshots; None when there are none."""
    track = None
    for snapshot in snapshots:
        track = engine.assimilate(track, snapshot)
    return track
