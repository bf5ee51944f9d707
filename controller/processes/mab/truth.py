"""The simulated antibody vessel's own equations, at the acidity, temperature and oxygen that its loops hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from controller.processes.mab.variation import Wander
from controller.processes.mab.vessel import Broth, Conditions, Inputs, Parameters, balances, specific_rates
from controller.processes.truth import Truth
from twin.model import Array, Input, Model, Multiplier, Output, Parameter, State, Vector, fmax

CRAVEN = "the simulated vessel (Craven 2014, de Tremblay 1992, Kotidis 2019)"
OXYGEN = 0.5  # of air saturation, where the plant's own loop holds it once the cells are many
CELLS = 1e9  # per L in a million per mL


def rhs(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """Rates of change per hour; bicarbonate makes room for lactate, so that osmolality is moved by neither."""
    y = Broth(
        Xv=CELLS * x.viable_cells,
        G=fmax(x.glucose, 0.0),
        Q=fmax(x.glutamine, 0.0),
        L=x.lactate,
        A=x.ammonia,
        Ci=x.inhibitor,
        P=x.product,
        V=x.volume,
    )
    now = _conditions(x, p, m)
    dy = balances(y, _flows(u), p, now, specific_rates(y, p, now))
    salts = (u.amino_feed * p.salt_feed + 2.0 * u.base_flow * p.base) / x.volume
    rest = x.osmolality - y.G - y.Q - y.A
    osm = dy.G + dy.Q + dy.A + salts - dy.V / x.volume * rest
    return dy.Xv / CELLS, dy.P, dy.G, dy.Q, dy.L, dy.A, dy.Ci, dy.V, osm


def _flows(u: Vector) -> Inputs:
    """What the twin's inputs are to the vessel; its gases, its stirrer and its heater hold what they hold."""
    return Inputs(F=u.glucose_feed, Fq=u.amino_feed, Fb=u.base_flow, N=0.0, y_O2=0.0, y_CO2=0.0, heat=0.0)


def _conditions(x: Vector, p: Vector, m: Vector) -> Conditions:
    """Temperature and acidity at their best, oxygen where it is held, and this hour's disturbance."""
    oxygen = OXYGEN * p.C_star
    return Conditions(
        f_T=1.0,
        f_pH=1.0,
        f_O2=oxygen / (oxygen + p.K_O2),
        osm=x.osmolality,
        mu_max=m.growth * p.mu_max,
        mG=m.uptake * p.mG,
        YXG=p.YXG / m.uptake,
        alpha0=m.production * p.alpha0,
        beta=m.production * p.beta,
        SG=m.sugar * p.SG,
        SQ=m.amino * p.SQ,
    )


def observe(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """Weight, the one thing that the model must show."""
    return (x.volume,)


def objective(x: Vector) -> Any:
    """Antibody in the vessel, mg."""
    return x.product * x.volume


def _state(name: str, unit: str, initial: float) -> State:
    return State(name, unit, initial, 1.0, 1.0)


def _strength(name: str) -> Multiplier:
    return Multiplier(name, 0.1, 0.1, 1.0)


def model_of(q: Parameters) -> Model:
    """The vessel with these constants."""
    return Model(
        name="mab-truth",
        states=(
            _state("viable_cells", "10^6/mL", 0.3),
            _state("product", "mg/L", 0.0),
            _state("glucose", "mmol/L", 20.0),
            _state("glutamine", "mmol/L", 4.0),
            _state("lactate", "mmol/L", 1.0),
            _state("ammonia", "mmol/L", 1.5),
            _state("inhibitor", "mmol/L", 0.0),
            _state("volume", "L", 7.0),
            _state("osmolality", "mOsm/kg", 291.0),
        ),
        multipliers=tuple(map(_strength, ("growth", "production", "uptake", "sugar", "amino"))),
        inputs=tuple(Input(name, "L/h", 0.0) for name in ("glucose_feed", "amino_feed", "base_flow")),
        outputs=(Output("weight", "kg", 1.0),),
        parameters=tuple(Parameter(name, value, "", CRAVEN) for name, value in q._asdict().items()),
        rhs=rhs,
        observe=observe,
        objective=objective,
        objective_name="product",
        objective_unit="mg",
        step_h=1 / 60,  # glucose near nothing is gone within a minute
    )


def factors(memory: Mapping[str, Any]) -> Array:
    """Growth, production, uptake, and the strength of both feeds under the present disturbance."""
    q, wander = Parameters(**memory["parameters"]), Wander(None)
    wander.recall({**memory["wander"], "rng": None})
    now = wander.applied(q)
    return np.array([now.mu_max / q.mu_max, now.alpha0 / q.alpha0, now.mG / q.mG, now.SG / q.SG, now.SQ / q.SQ])


TRUTH = Truth(
    controls=("glucose_feed", "amino_feed"),
    bounded=("glucose", "glutamine", "lactate", "ammonia", "osmolality", "volume"),
    model=lambda memory: model_of(Parameters(**memory["parameters"])),
    factors=factors,
)
