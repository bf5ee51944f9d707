"""A patient on one drug: dose, concentration, transporter occupancy, benefit, and stress, sleep and mood.

| symbol | meaning | unit |
|---|---|---|
| gut, central | drug not yet absorbed; drug in the body | mg |
| C, O | concentration; transporter occupancy C/(EC50 + C) | ng/mL; 1 |
| effect | occupancy as the benefit follows it, with half-life T_e | 1 |
| tolerance | occupancy as the body has got used to it, with half-life T_w; activation = max(0, O - tolerance) | 1 |
| stress_base, sleep_base, mood_base | what the channels would be without drug, drifting slowly | points, h, points |
| mood_residual | what carries mood from one sample to the next besides all that | points |
| log_clearance | this patient's clearance over the population's; hardly known until a level is measured | 1 |
| peripheral, stomach | of a two-compartment drug: in the tissues; swallowed and not yet on its way | mg |
| metabolite | the active metabolite's concentration, where the drug has one | ng/mL |
| response | the multiplier G: how much of the benefit reaches this patient; 1 is the reference responder | 1 |
| bias | the multiplier whose logarithm u is added to stress: what else moves it, in this state of treatment | points |

Research use only. The pharmacokinetics are published; the links from occupancy to the three channels are design
priors, for which no clinical validity is claimed. No calendar enters the model.
"""

from __future__ import annotations

import functools
import math
from math import exp, log
from typing import Any

from controller.patient.pharmacology import studies
from controller.patient.pharmacology.drugs import DRUGS
from controller.patient.pharmacology.pharmacokinetics import Pharmacokinetics
from twin.model import Input, Model, Multiplier, Output, Parameter, State, Vector, fmax
from twin.records import Estimate

# The typical person of each; E1 fits Asian patients whose CYP2C19 is known, E2 others.
E1, E2 = studies.E1.typical, studies.E2.typical

STRESS_GAIN, SLEEP_GAIN_H, MOOD_GAIN = 3.5, 1.3, 2.4  # at full benefit; design, conditioned on Table 1

_PHI = 0.3  # of mood's autoregression over 6 h; design
_MOOD_RATE = -math.log(_PHI) / 6.0  # 1/h
_MOOD_SD = 0.105  # points; residual of Table 1
# The baseline's prior spread of 1 is shared between what drifts slowly and what NeuroCore may learn as a bias.
_BASE_SD, _BIAS_SD = 0.6, 0.8
_STEP = 0.5  # of the fastest rate; design
_TOLERANCE = 1e-4  # far below what any level or score can show; design
_ASSAY_LIMIT = 0.5  # ng/mL, a level's error however small it is; design
_DRIFT = 0.05 / math.sqrt(6.0)  # per sqrt(h): 0.05 over 6 h; design

STATES = (
    State("gut", "mg", 0.0, 0.0, 1e-4),
    State("central", "mg", 0.0, 0.0, 1e-3),
    State("effect", "1", 0.0, 1e-3, 1e-3),
    State("tolerance", "1", 0.0, 1e-3, 1e-3),
    State("stress_base", "points", 6.5, _BASE_SD, _DRIFT, positive=False),
    State("sleep_base", "h", 6.8, 0.7, _DRIFT, positive=False),
    State("mood_base", "points", 4.8, 1.0, _DRIFT, positive=False),
    State("mood_residual", "points", 0.0, _MOOD_SD, _MOOD_SD * math.sqrt(2 * _MOOD_RATE), positive=False),
)
INPUTS = (Input("dose_mg", "mg", 0.0),)
OUTPUTS = (
    Output("stress", "points", 1.05),  # residual of Table 1
    Output("sleep", "h", 0.92),  # residual of Table 1
    Output("mood", "points", 0.02),  # the scale's resolution; the rest of mood's scatter is mood_residual
)
# G cannot be told from the drug's exposure within days: the prior is wide, and G may change as patients do.
RESPONSE = Multiplier("response", initial_sd=0.7, noise_sd=0.03, bound=2.0)
BIAS = Multiplier("bias", initial_sd=_BIAS_SD, noise_sd=0.01, bound=2.0)


def _parameters(pk: Pharmacokinetics) -> tuple[Parameter, ...]:
    drug = DRUGS[pk.drug]
    return (
        Parameter("CL", pk.clearance_l_per_h, "L/h", pk.source),
        Parameter("V", pk.volume_l, "L", pk.source),
        Parameter("ka", pk.absorption_per_h, "1/h", pk.source),
        Parameter("EC50", drug.half_effect_ng_per_ml, "ng/mL", drug.half_effect_source),
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
        *_more_parameters(pk),
    )


def _more_parameters(pk: Pharmacokinetics) -> tuple[Parameter, ...]:
    if pk.peripheral_l:
        return (
            Parameter("Q", pk.exchange_l_per_h, "L/h", pk.source),
            Parameter("V_p", pk.peripheral_l, "L", pk.source),
            Parameter("lag", pk.lag_h, "h", pk.source),
        )
    if pk.metabolite_ratio:
        return (
            Parameter("ratio", pk.metabolite_ratio, "1", pk.source),
            Parameter("k_m", math.log(2) / pk.metabolite_half_life_h, "1/h", pk.source),
        )
    return ()


def rhs(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """dx/dt per hour; `u` acts only through `jump`, since a tablet is swallowed at an instant."""
    return (
        -p.ka * x.gut,
        p.ka * x.gut - p.CL * exp(x.log_clearance) / p.V * x.central,
        *_minds(x, p, _parent(x, p)),
    )


def rhs_two(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """The same with a peripheral compartment and a lag.

    The lag is the mean time in the stomach. Six hours after a dose that is all but the same as a pure delay.
    """
    eliminated = p.CL * exp(x.log_clearance) / p.V * x.central
    out, back = p.Q / p.V * x.central, p.Q / p.V_p * x.peripheral
    return (
        x.stomach / p.lag - p.ka * x.gut,
        p.ka * x.gut - eliminated - out + back,
        *_minds(x, p, _parent(x, p)),
        out - back,
        -x.stomach / p.lag,
    )


def rhs_metabolite(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """The same with an active metabolite, as its concentration."""
    parent = _parent(x, p)
    return (
        -p.ka * x.gut,
        p.ka * x.gut - p.CL * exp(x.log_clearance) / p.V * x.central,
        *_minds(x, p, parent + fmax(x.metabolite, 0.0)),
        p.k_m * (p.ratio * parent - x.metabolite),
    )


def _parent(x: Vector, p: Vector) -> Any:
    """The drug's own concentration, ng/mL."""
    return 1000.0 * fmax(x.central, 0.0) / p.V


def _minds(x: Vector, p: Vector, C: Any) -> tuple[Any, ...]:
    """The rates from effect to log_clearance, in their order, at this concentration."""
    occupied = C / (p.EC50 + C)
    return (
        0.6931471805599453 / p.T_e * (occupied - x.effect),
        0.6931471805599453 / p.T_w * (occupied - x.tolerance),
        0.0,
        0.0,
        0.0,
        -p.mood_rate * x.mood_residual,
        0.0,
    )


def observe(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """Stress, sleep, mood and drug level."""
    return _shown(x, p, m, _parent(x, p))


def observe_metabolite(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """The same; the level is that of drug and metabolite together."""
    return _shown(x, p, m, _parent(x, p) + fmax(x.metabolite, 0.0))


def _shown(x: Vector, p: Vector, m: Vector, C: Any) -> tuple[Any, ...]:
    """Mood follows the last night's sleep and stress; the model's present ones stand in for them."""
    activation = fmax(C / (p.EC50 + C) - x.tolerance, 0.0)
    benefit = m.response * x.effect
    stress = x.stress_base + log(m.bias) - p.gS * benefit + p.aS * activation
    sleep = x.sleep_base + p.gL * benefit - p.aL * activation
    rested = 9.0 - fmax(9.0 - sleep, 0.0) - 7.5  # more than 9 h brings no more
    mood = x.mood_base + p.gM * benefit + p.kL * rested - p.kS * (stress - 5.0) + x.mood_residual
    return stress, sleep, mood, C


def jump(x: Vector, u: Vector) -> tuple[Any, ...]:
    """The dose of this interval is swallowed; the gut is the first state."""
    return (x.gut + u.dose_mg, *x[1:])


def jump_two(x: Vector, u: Vector) -> tuple[Any, ...]:
    """The dose of this interval is swallowed, and stays in the stomach at first, which is the last state."""
    return (*x[:-1], x.stomach + u.dose_mg)


def objective(x: Vector) -> Any:
    """What treatment is for: the occupancy that the benefit has followed so far."""
    return x.effect


@functools.cache
def model(pk: Pharmacokinetics = E2) -> Model:
    """The patient model on one person's pharmacokinetics."""
    states: tuple[State, ...] = (*STATES, State("log_clearance", "1", 0.0, pk.clearance_sd, 1e-4, positive=False))
    equations, shown, swallow = rhs, observe, jump
    if pk.peripheral_l:
        states += (State("peripheral", "mg", 0.0, 0.0, 1e-3), State("stomach", "mg", 0.0, 0.0, 1e-4))
        equations, swallow = rhs_two, jump_two
    elif pk.metabolite_ratio:
        states += (State("metabolite", "ng/mL", 0.0, 0.0, 1e-2),)
        equations, shown = rhs_metabolite, observe_metabolite
    fastest = max(pk.absorption_per_h, 1 / pk.lag_h if pk.peripheral_l else 0.0, 0.5)
    return Model(
        name=f"patient-{pk.id}",
        states=states,
        multipliers=(RESPONSE, BIAS),
        inputs=INPUTS,
        outputs=(*OUTPUTS, Output("level", "ng/mL", max(_ASSAY_LIMIT, pk.errors.additive), pk.errors.proportional)),
        parameters=_parameters(pk),
        rhs=equations,
        observe=shown,
        objective=objective,
        objective_name="effect",
        objective_unit="1",
        jump=swallow,
        step_h=_STEP / fastest,
        stiff=False,
        tolerance=_TOLERANCE,
    )


MODEL = model()


def concentration_ng_per_ml(estimate: Estimate, pk: Pharmacokinetics = E2) -> float:
    """The drug concentration that the estimate believes in, its active metabolite included."""
    parent = 1000.0 * max(estimate["central"], 0.0) / pk.volume_l
    return parent + (max(estimate["metabolite"], 0.0) if pk.metabolite_ratio else 0.0)


def occupancy(concentration: float, drug: str = "escitalopram") -> float:
    """The share of serotonin transporters occupied at a concentration in ng/mL."""
    return DRUGS[drug].occupancy(concentration)
