"""The simulated penicillin vessel's own equations, at the acidity and temperature that its loops hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from controller.processes.penicillin.variation import Wander
from controller.processes.penicillin.vessel import (
    Broth,
    Conditions,
    Inputs,
    Parameters,
    balances,
    evaporation,
    growth_rate,
    hydrolysis,
    specific_rates,
)
from controller.processes.truth import Truth
from twin.model import Array, Input, Model, Multiplier, Output, Parameter, State, Vector, fmax

BIROL = "the simulated vessel (Birol 2002, Goldrick 2015)"
PH, KELVIN = 5.0, 298.0  # where the plant's own loops hold the vessel
HYDROGEN = 10.0**-PH  # mol/L
LEAST = 1e-9  # g/L of sugar and of oxygen: an optimiser also looks where there is none, and 0/0 has no slope


def rhs(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """Rates of change per hour of the vessel at constant pH and temperature."""
    y = Broth(
        X=fmax(x.biomass, 1e-6),
        P=x.product,
        S=fmax(x.substrate, 0.0) + LEAST,
        CL=fmax(x.dissolved_oxygen, 0.0) / 100.0 * p.CL_star + LEAST,
        V=x.volume,
        PAA=fmax(x.precursor, 0.0),
        A=x.age,
        vis=x.viscosity,
    )
    now = Conditions(
        mu_x=m.growth * growth_rate(HYDROGEN, KELVIN, p),
        mu_p=m.production * p.mu_p,
        K=hydrolysis(PH, KELVIN, p.K),
        loss=evaporation(KELVIN, p),
        sf=m.sugar_strength * p.sf,
        c_PAA=m.precursor_strength * p.c_PAA,
    )
    dy = balances(x.time, y, _flows(u), p, now, specific_rates(y, p, now))
    return dy.X, dy.P, dy.S, 100.0 / p.CL_star * dy.CL, dy.V, dy.PAA, dy.A, dy.vis, 1.0


def _flows(u: Vector) -> Inputs:
    """What the twin's inputs are to the vessel; its temperature is held, and nothing is spilt."""
    return Inputs(
        F=u.feed,
        Fpaa=u.precursor_feed,
        Fa=u.acid_flow,
        Fb=u.base_flow,
        Fc=0.0,
        Fh=0.0,
        fg=fmax(u.air_flow, 0.0),
        Pw=u.agitator_power,
        Fw=0.0,
        Fdis=0.0,
    )


def observe(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """Oxygen, the one thing that the model must show."""
    return (x.dissolved_oxygen,)


def objective(x: Vector) -> Any:
    """Product in the vessel, g."""
    return x.product * x.volume


def _state(name: str, unit: str, initial: float) -> State:
    return State(name, unit, initial, 1.0, 1.0)


def _strength(name: str) -> Multiplier:
    return Multiplier(name, 0.1, 0.1, 1.0)


def model_of(q: Parameters) -> Model:
    """The vessel with these constants."""
    return Model(
        name="penicillin-truth",
        states=(
            _state("biomass", "g/L", 0.1),
            _state("product", "g/L", 0.0),
            _state("substrate", "g/L", 15.0),
            _state("dissolved_oxygen", "%", 100.0),
            _state("volume", "L", 100.0),
            _state("precursor", "mg/L", 1400.0),
            _state("age", "h", 0.0),
            _state("viscosity", "cP", 4.0),
            _state("time", "h", 0.0),
        ),
        multipliers=tuple(map(_strength, ("growth", "production", "sugar_strength", "precursor_strength"))),
        inputs=(
            Input("feed", "L/h", 0.0),
            Input("precursor_feed", "L/h", 0.0),
            Input("base_flow", "L/h", 0.0),
            Input("acid_flow", "L/h", 0.0),
            Input("air_flow", "L/h", 8.6),
            Input("agitator_power", "W", 30.0),
        ),
        outputs=(Output("dissolved_oxygen", "%", 1.0),),
        parameters=tuple(Parameter(name, value, "", BIROL) for name, value in q._asdict().items()),
        rhs=rhs,
        observe=observe,
        objective=objective,
        objective_name="product",
        objective_unit="g",
    )


def factors(memory: Mapping[str, Any]) -> Array:
    """Growth, production, and the strength of both feeds under the present disturbance."""
    q, wander = Parameters(**memory["parameters"]), Wander(None)
    wander.recall({**memory["wander"], "rng": None})
    now = wander.applied(q)
    return np.array([now.mu_x / q.mu_x, now.mu_p / q.mu_p, now.sf / q.sf, now.c_PAA / q.c_PAA])


TRUTH = Truth(
    controls=("feed", "precursor_feed"),
    bounded=("dissolved_oxygen", "volume", "precursor"),
    model=lambda memory: model_of(Parameters(**memory["parameters"])),
    factors=factors,
)
