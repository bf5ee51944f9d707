"""A patient on escitalopram: dose, concentration, transporter occupancy, benefit, and stress, sleep and mood.

| symbol | meaning | unit |
|---|---|---|
| gut, central | drug not yet absorbed; drug in the body | mg |
| C, O | concentration; transporter occupancy C/(EC50 + C) | ng/mL; 1 |
| effect | occupancy as the benefit follows it, with half-life T_e | 1 |
| tolerance | occupancy as the body has got used to it, with half-life T_w; activation = max(0, O - tolerance) | 1 |
| stress_base, sleep_base, mood_base | what the channels would be without drug, drifting slowly | points, h, points |
| mood_residual | what carries mood from one sample to the next besides all that | points |
| log_clearance | this patient's clearance over the population's; hardly known until a level is measured | 1 |
| response | the multiplier G: how much of the benefit reaches this patient; 1 is the reference responder | 1 |

Research use only. The pharmacokinetics are published; the links from occupancy to the three channels are design
priors, for which no clinical validity is claimed. No calendar enters the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import exp
from typing import Any

from twin.estimate import Estimate
from twin.model import Input, Model, Multiplier, Output, Parameter, State, Vector, fmax


@dataclass(frozen=True, slots=True)
class Pharmacokinetics:
    """A published one-compartment oral model, apparent parameters: selectable, never a constant."""

    id: str
    drug: str
    clearance_l_per_h: float  # CL/F
    volume_l: float  # V/F
    absorption_per_h: float  # ka
    clearance_sd: float  # of log CL between patients
    source: str


# With E1 for Asian patients whose CYP2C19 is known, E2 for others.
E1 = Pharmacokinetics("E1", "escitalopram", 16.3, 815.0, 0.6, math.sqrt(0.0877), "Liu 2022, Front Pharm 13:964758")
E2 = Pharmacokinetics(
    "E2",
    "escitalopram",
    23.1,
    920.0,
    0.6,  # not reported there; Liu 2022
    math.sqrt(math.log(1 + 0.51**2)),  # CV 51 %
    "Courlet 2019, Br J Clin Pharmacol 85:2022",
)

EC50 = 5.0  # ng/mL; derived from 80 % occupancy at 20 ng/mL (Eichentopf 2022)
STRESS_GAIN, SLEEP_GAIN_H, MOOD_GAIN = 3.5, 1.3, 2.4  # at full benefit; design, conditioned on Table 1

_PHI = 0.3  # of mood's autoregression over 6 h; design
_MOOD_RATE = -math.log(_PHI) / 6.0  # 1/h
_MOOD_SD = 0.105  # points; residual of Table 1
_DRIFT = 0.05 / math.sqrt(6.0)  # per sqrt(h): 0.05 over 6 h; design

STATES = (
    State("gut", "mg", 0.0, 1e-3, 1e-4),
    State("central", "mg", 0.0, 1e-3, 1e-3),
    State("effect", "1", 0.0, 1e-3, 1e-3),
    State("tolerance", "1", 0.0, 1e-3, 1e-3),
    State("stress_base", "points", 6.5, 1.0, _DRIFT, positive=False),
    State("sleep_base", "h", 6.8, 0.7, _DRIFT, positive=False),
    State("mood_base", "points", 4.8, 1.0, _DRIFT, positive=False),
    State("mood_residual", "points", 0.0, _MOOD_SD, _MOOD_SD * math.sqrt(2 * _MOOD_RATE), positive=False),
)
INPUTS = (Input("dose_mg", "mg", 0.0),)
OUTPUTS = (
    Output("stress", "points", 1.05),  # residual of Table 1
    Output("sleep", "h", 0.92),  # residual of Table 1
    Output("mood", "points", 0.02),  # the scale's resolution; the rest of mood's scatter is mood_residual
    Output("level", "ng/mL", 0.5, 0.169),  # Liu 2022, proportional; 0.5 stands for the assay's own limit
)
# G cannot be told from the drug's exposure within days: the prior is wide, and G may change as patients do.
RESPONSE = Multiplier("response", initial_sd=0.7, noise_sd=0.03, bound=2.0)


def _parameters(pk: Pharmacokinetics) -> tuple[Parameter, ...]:
    return (
        Parameter("CL", pk.clearance_l_per_h, "L/h", pk.source),
        Parameter("V", pk.volume_l, "L", pk.source),
        Parameter("ka", pk.absorption_per_h, "1/h", pk.source),
        Parameter("EC50", EC50, "ng/mL", "derived: 80 % at 20 ng/mL, Eichentopf 2022"),
        Parameter("T_e", 96.0, "h", "design; 60 to 240"),
        Parameter("T_w", 36.0, "h", "design; 24 to 72"),
        Parameter("gS", STRESS_GAIN, "points", "design prior conditioned on Nozari 2025, Table 1"),
        Parameter("gL", SLEEP_GAIN_H, "h", "design prior conditioned on Nozari 2025, Table 1"),
        Parameter("gM", MOOD_GAIN, "points", "design prior conditioned on Nozari 2025, Table 1"),
        Parameter("aS", 0.85, "points", "design prior conditioned on Nozari 2025, Table 1"),
        Parameter("aL", 0.86, "h", "design prior conditioned on Nozari 2025, Table 1"),
        Parameter("kL", 0.05, "points/h", "design, sign after MIDUS (PMC10529882)"),
        Parameter("kS", 0.05, "1", "design"),
        Parameter("mood_rate", _MOOD_RATE, "1/h", "design: autocorrelation 0.3 over 6 h"),
    )


def rhs(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """dx/dt per hour; `u` acts only through `jump`, since a tablet is swallowed at an instant."""
    gut, central, effect, tolerance, _, _, _, mood_residual, log_clearance = x
    CL, V, ka, EC, T_e, T_w = p[0], p[1], p[2], p[3], p[4], p[5]
    C = 1000.0 * fmax(central, 0.0) / V
    occupied = C / (EC + C)
    return (
        -ka * gut,
        ka * gut - CL * exp(log_clearance) / V * central,
        0.6931471805599453 / T_e * (occupied - effect),
        0.6931471805599453 / T_w * (occupied - tolerance),
        0.0,
        0.0,
        0.0,
        -p[13] * mood_residual,
        0.0,
    )


def observe(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """Stress, sleep, mood and drug level.

    Mood follows the last night's sleep and stress; the model's present ones stand in for them.
    """
    _, central, effect, tolerance, stress_base, sleep_base, mood_base, mood_residual, _ = x
    V, EC = p[1], p[3]
    gS, gL, gM, aS, aL, kL, kS = p[6], p[7], p[8], p[9], p[10], p[11], p[12]
    C = 1000.0 * fmax(central, 0.0) / V
    activation = fmax(C / (EC + C) - tolerance, 0.0)
    benefit = m[0] * effect
    stress = stress_base - gS * benefit + aS * activation
    sleep = sleep_base + gL * benefit - aL * activation
    rested = 9.0 - fmax(9.0 - sleep, 0.0) - 7.5  # more than 9 h brings no more
    mood = mood_base + gM * benefit + kL * rested - kS * (stress - 5.0) + mood_residual
    return stress, sleep, mood, C


def jump(x: Vector, u: Vector) -> tuple[Any, ...]:
    """The dose of this interval is swallowed."""
    return (x[0] + u[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8])


def objective(x: Vector) -> Any:
    """What treatment is for: the occupancy that the benefit has followed so far."""
    return x[2]


def model(pk: Pharmacokinetics = E2) -> Model:
    """The patient model on one pharmacokinetic record."""
    return Model(
        name=f"patient-{pk.id}",
        states=(*STATES, State("log_clearance", "1", 0.0, pk.clearance_sd, 1e-4, positive=False)),
        multipliers=(RESPONSE,),
        inputs=INPUTS,
        outputs=OUTPUTS,
        parameters=_parameters(pk),
        rhs=rhs,
        observe=observe,
        objective=objective,
        objective_name="effect",
        objective_unit="1",
        jump=jump,
        step_h=0.25,  # against an absorption of 0.6 per hour
    )


MODEL = model()


def concentration_ng_per_ml(estimate: Estimate, pk: Pharmacokinetics = E2) -> float:
    """The drug concentration that the estimate believes in."""
    return 1000.0 * max(estimate["central"], 0.0) / pk.volume_l


def occupancy(concentration: float) -> float:
    """The share of serotonin transporters occupied at a concentration in ng/mL."""
    return concentration / (EC50 + concentration)
