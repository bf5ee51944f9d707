"""The simulated antibody vessel's own equations, at the acidity, temperature and oxygen that its loops hold."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from typing import Any

import numpy as np

from controller.processes.mab.variation import Wander
from controller.processes.mab.vessel import GUARD_G, GUARD_Q, Parameters
from controller.processes.truth import Truth
from twin.model import Array, Input, Model, Multiplier, Output, Parameter, State, Vector, fmax

CRAVEN = "the simulated vessel (Craven 2014, de Tremblay 1992, Kotidis 2019)"
OXYGEN = 0.5  # of air saturation, where the plant's own loop holds it once the cells are many
PER_CELL = ("qi", "mG", "mQ", "mL", "alpha0", "beta")  # cells are counted in 10^9/L here
CELLS_PER = ("YXG", "YXQ")
NAMES = (
    *("mu", "KG", "KQ", "KL", "KA", "Ci_star", "qi", "kd_max", "kmu", "mG", "mQ", "kdQ", "YXG", "YXQ", "YLG", "YAQ"),
    *("Lmax1", "Lmax2", "mL", "alpha0", "beta", "Kmu", "osm_half", "osm_width", "SG", "SQ", "salt_feed", "base"),
)


def rhs(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """Rates of change per hour; bicarbonate makes room for lactate, so that osmolality is moved by neither."""
    X, P, G, Q, L, A, Ci, V, O = x  # noqa: E741 - symbols as in the papers
    glucose_feed, amino_feed, base_flow = u
    mu_max, KG, KQ, KL, KA, Ci_star, qi, kd_max, kmu, mG, mQ, kdQ, YXG, YXQ, YLG, YAQ = p[:16]
    Lmax1, Lmax2, mL, alpha0, beta, Kmu, osm_half, osm_width, SG, SQ, salt_feed, base = p[16:]
    G, Q = fmax(G, 0.0), fmax(Q, 0.0)
    inhibited = KL / (KL + L) * KA / (KA + A) * fmax((Ci_star - Ci) / Ci_star, 0.0)
    pressed = 1.0 / (1.0 + exp((O - osm_half) / osm_width))
    mu = m[0] * mu_max * G / (KG + G) * Q / (KQ + Q) * inhibited * pressed
    kd = kd_max * kmu / (mu + kmu)
    q_G = m[2] * (mu / YXG + mG * G / (G + GUARD_G))
    q_Q = mu / YXQ + mQ * Q / (Q + GUARD_Q)
    q_L = YLG * q_G * (Lmax1 - L) / Lmax1 + mL * (Lmax2 - L) / Lmax2
    q_P = m[1] * (alpha0 * mu / (Kmu + mu) + beta)
    flow = glucose_feed + amino_feed + base_flow
    D = flow / V
    dG = m[3] * glucose_feed * SG / V - q_G * X - D * G
    dQ = m[4] * amino_feed * SQ / V - q_Q * X - kdQ * Q - D * Q
    dA = YAQ * q_Q * X + kdQ * Q - D * A
    return (
        (mu - kd - D) * X,
        q_P * X - D * P,
        dG,
        dQ,
        q_L * X - D * L,
        dA,
        qi * X - D * Ci,
        flow,
        dG + dQ + dA + (amino_feed * salt_feed + 2.0 * base_flow * base) / V - D * (O - G - Q - A),
    )


def observe(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """Weight, the one thing that the model must show."""
    return (x[7],)


def objective(x: Vector) -> Any:
    """Antibody in the vessel, mg."""
    return x[1] * x[7]


def model_of(q: Parameters) -> Model:
    """The vessel with these constants."""
    oxygen = OXYGEN * q.C_star
    values = q._asdict() | {"mu": q.mu_max * oxygen / (oxygen + q.K_O2)}
    values |= {name: 1e9 * values[name] for name in PER_CELL} | {name: 1e-9 * values[name] for name in CELLS_PER}
    state = {"viable_cells": 0.3, "product": 0.0, "glucose": 20.0, "glutamine": 4.0, "lactate": 1.0, "ammonia": 1.5}
    state |= {"inhibitor": 0.0, "volume": 7.0, "osmolality": 291.0}
    return Model(
        name="mab-truth",
        states=tuple(State(name, "", value, 1.0, 1.0) for name, value in state.items()),
        multipliers=tuple(Multiplier(n, 0.1, 0.1, 1.0) for n in ("growth", "production", "uptake", "sugar", "amino")),
        inputs=tuple(Input(name, "L/h", 0.0) for name in ("glucose_feed", "amino_feed", "base_flow")),
        outputs=(Output("weight", "kg", 1.0),),
        parameters=tuple(Parameter(name, values[name], "", CRAVEN) for name in NAMES),
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
