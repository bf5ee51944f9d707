"""The simulated penicillin vessel's own equations, at the acidity and temperature that its loops hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from math import exp, sqrt, tanh
from typing import Any

import numpy as np

from controller.processes.penicillin.variation import Wander
from controller.processes.penicillin.vessel import GAS, Parameters
from controller.processes.truth import Truth
from twin.model import Array, Input, Model, Multiplier, Output, Parameter, State, Vector, fmax

BIROL = "the simulated vessel (Birol 2002, Goldrick 2015)"
PH, KELVIN = 5.0, 298.0  # where the plant's own loops hold the vessel
NAMES = (
    *("mu", "Kx", "Kox", "mu_p", "Kp", "KI", "Kop", "K", "A50", "Yxs", "Yps", "Yxo", "Ypo", "mx", "mo", "alpha"),
    *("beta", "CL_star", "vis0", "n_vis", "sf", "c_PAA", "loss", "Y_PAA_P", "Y_PAA_X", "m_PAA", "PAA_low"),
    *("PAA_high", "w", "phi", "k1", "k2", "t1", "t2"),
)


def rhs(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """Rates of change per hour of the vessel at constant pH and temperature."""
    X, P, S, DO, V, PAA, A, vis, t = x
    feed, precursor_feed, base_flow, acid_flow, air_flow, agitator_power = u
    mu_x, Kx, Kox, mu_p, Kp, KI, Kop, K, A50, Yxs, Yps, Yxo, Ypo, mx, mo, alpha = p[:16]
    beta, CLs, vis0, n_vis, sf, c_PAA, loss, Y_P, Y_X, m_PAA, low, high, w, phi, k1, k2, t1, t2 = p[16:]
    S = fmax(S, 0.0)
    CL = fmax(DO, 0.0) / 100.0 * CLs
    mu = m[0] * mu_x * S / (Kx * X + S + 1e-9) * CL / (Kox * X + CL + 1e-9) * 0.5 * (1.0 + tanh((high - PAA) / w))
    age = 1.0 / (1.0 + (A / A50) ** 4)
    window = 0.5 * (1.0 + tanh((PAA - low) / w))
    q_P = m[1] * mu_p * S / (Kp + S + S * S / KI) * CL**3 / (Kop * X + CL**3 + 1e-12) * window * age
    our = mu * X / Yxo + q_P * X / Ypo + mo * X * CL / (CL + 1e-2)
    flow = feed + precursor_feed + base_flow + acid_flow - loss * V
    D = flow / V
    thick = (fmax(vis, 4.0) / vis0) ** (-n_vis)
    kLa = alpha * sqrt(fmax(air_flow, 0.0)) * (agitator_power / V) ** beta * thick
    used = (Y_P * q_P * X + Y_X * mu * X + m_PAA * P) * fmax(PAA, 0.0) / (fmax(PAA, 0.0) + 1.0)
    swelling = (1.0 + exp(-k1 * (t - t1))) * (1.0 + exp(-k2 * (t - t2)))
    return (
        mu * X - D * X,
        q_P * X - K * P - D * P,
        -mu * X / Yxs - q_P * X / Yps - mx * S / (S + 1e-3) * X + m[2] * feed * sf / V - D * S,
        kLa * (100.0 - DO) - 100.0 / CLs * our - D * DO,
        flow,
        m[3] * precursor_feed * c_PAA / V - used - D * PAA,
        1.0 - mu * A,
        3.0 * (phi * fmax(X, 1e-6)) ** (1.0 / 3.0) / swelling,
        1.0,
    )


def observe(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """Oxygen, the one thing that the model must show."""
    return (x[3],)


def objective(x: Vector) -> Any:
    """Product in the vessel, g."""
    return x[1] * x[4]


def model_of(q: Parameters) -> Model:
    """The vessel with these constants."""
    H = 10.0**-PH
    f_pH = 1.0 / (1.0 + q.K1 / H + H / q.K2)
    f_T = q.kg * math.exp(-q.Eg / (GAS * KELVIN)) - q.kd * math.exp(-q.Ed / (GAS * KELVIN))
    loss = q.lam * (math.exp(5.0 * (KELVIN - q.T0) / (q.Tv - q.T0)) - 1.0)
    values = q._asdict() | {"mu": q.mu_x * f_pH * f_T, "loss": loss}
    state = {"biomass": 0.1, "product": 0.0, "substrate": 15.0, "dissolved_oxygen": 100.0, "volume": 100.0}
    state |= {"precursor": 1400.0, "age": 0.0, "viscosity": 4.0, "time": 0.0}
    return Model(
        name="penicillin-truth",
        states=tuple(State(name, "", value, 1.0, 1.0) for name, value in state.items()),
        multipliers=tuple(Multiplier(n, 0.1, 0.1, 1.0) for n in ("growth", "production", "sugar", "precursor")),
        inputs=(
            Input("feed", "L/h", 0.0),
            Input("precursor_feed", "L/h", 0.0),
            Input("base_flow", "L/h", 0.0),
            Input("acid_flow", "L/h", 0.0),
            Input("air_flow", "L/h", 8.6),
            Input("agitator_power", "W", 30.0),
        ),
        outputs=(Output("dissolved_oxygen", "%", 1.0),),
        parameters=tuple(Parameter(name, values[name], "", BIROL) for name in NAMES),
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
