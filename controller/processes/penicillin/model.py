"""Fed-batch penicillin after Bajpai and Reuss (1980), reduced, with a precursor balance: the belief, not the plant.

    mu  = mu_x S/(Kx X + S) f_X(PAA)          q_P = mu_p S/(Kp + S (1 + S/KI)) f_P(PAA)
    dX  = mu X - D X                          dP  = q_P X - K P - D P
    dS  = -mu X/Yxs - q_P X/Yps - mx X + F sf/V - D S
    dDO = kLa (100 - DO) - (100/CL*) OUR - D DO      OUR = mu X/Yxo + q_P X/Ypo + mo X
    dPAA = Fpaa c_PAA/V - Y_PAA_P q_P X - Y_PAA_X mu X - m_PAA P - D PAA

It knows nothing of culture age, viscosity, pH, temperature, nor of an oxygen limit: those show as drifting multipliers.
"""

from __future__ import annotations

from math import exp, log, sqrt, tanh
from typing import Any

from twin.model import Input, Model, Multiplier, Output, Parameter, State, Vector, fmax

BAJPAI = "Bajpai & Reuss 1980"
BIROL = "Birol 2002"
GOLDRICK = "Goldrick 2015"

PARAMETERS = (
    Parameter("mu_x", 0.092, "1/h", BAJPAI),
    Parameter("Kx", 0.15, "g/g", BAJPAI),
    Parameter("mu_p", 0.005, "1/h", BAJPAI),
    Parameter("Kp", 2e-4, "g/L", BAJPAI),
    Parameter("KI", 0.1, "g/L", BAJPAI),
    Parameter("K", 0.04, "1/h", BAJPAI),
    Parameter("Yxs", 0.45, "g/g", BAJPAI),
    Parameter("Yps", 0.9, "g/g", BAJPAI),
    Parameter("mx", 0.014, "1/h", BAJPAI),
    Parameter("sf", 600.0, "g/L", BIROL),
    Parameter("Yxo", 0.04, "g/g", BIROL),
    Parameter("Ypo", 0.2, "g/g", BIROL),
    Parameter("mo", 0.467, "1/h", BIROL),
    Parameter("CLs", 1.16, "g/L", BIROL + ", scaled as printed there"),
    Parameter("alpha", 35.0, "1/h", "design: half of Birol 2002, as the vessel is believed to transfer"),
    Parameter("beta", 0.4, "-", BIROL),
    Parameter("alpha1", 0.143, "mmol/g", BIROL),
    Parameter("alpha2", 4e-7, "mmol/(g.h)", BIROL),
    Parameter("alpha3", 1e-4, "mmol/(L.h)", BIROL),
    Parameter("loss", 6.2e-4, "1/h", BIROL + ": lambda (exp(1.25) - 1), evaporation at 298 K"),
    Parameter("c_PAA", 530_000.0, "mg/L", GOLDRICK),
    Parameter("Y_PAA_P", 187.5, "mg/g", GOLDRICK),
    Parameter("Y_PAA_X", 45.0, "mg/g", GOLDRICK),
    Parameter("m_PAA", 1.05, "mg/(g.h)", GOLDRICK),
    Parameter("PAA_growth", 2400.0, "mg/L", GOLDRICK + ": above it growth stops"),
    Parameter("PAA_product", 200.0, "mg/L", GOLDRICK + ": below it production stops"),
    Parameter("w", 50.0, "mg/L", "design: softness of both windows"),
)


def _rates(x: Vector, p: Vector, m: Vector) -> tuple[Any, Any, Any]:
    """Growth mu X, production q_P X (g/(L.h)) and oxygen uptake OUR (g/(L.h))."""
    X = fmax(x.biomass, 0.0)
    S = fmax(x.substrate, 0.0)  # a filter or a Runge-Kutta stage may step a little below zero
    f_X = 0.5 * (1.0 + tanh((p.PAA_growth - x.precursor) / p.w))
    f_P = 0.5 * (1.0 + tanh((x.precursor - p.PAA_product) / p.w))
    growth = m.growth * p.mu_x * f_X * S / (p.Kx * X + S + 1e-9) * X  # 1e-9: no 0/0 in an empty vessel
    production = m.production * p.mu_p * f_P * S / (p.Kp + S * (1.0 + S / p.KI)) * X
    return growth, production, m.oxygen * (growth / p.Yxo + p.mo * X) + production / p.Ypo


def rhs(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """Rates of change per hour."""
    X, P, S, DO, V, PAA = x.biomass, x.product, x.substrate, x.dissolved_oxygen, x.volume, x.precursor
    growth, production, oxygen = _rates(x, p, m)
    flow = u.feed + u.precursor_feed + u.base_flow + u.acid_flow - p.loss * V
    D = flow / V
    kLa = m.transfer * p.alpha * sqrt(fmax(u.air_flow, 0.0)) * exp(p.beta * log(fmax(u.agitator_power, 1e-6) / V))
    sugar = fmax(S, 0.0)
    acid = fmax(PAA, 0.0)
    left_sugar = sugar / (sugar + 1e-3)  # design: nothing is taken up where nothing is left (half effect at 1e-3 g/L)
    left_acid = acid / (acid + 20.0)  # design: half effect at 20 mg/L
    used = p.Y_PAA_P * production + p.Y_PAA_X * growth + p.m_PAA * P
    return (
        growth - D * X,
        production - p.K * P - D * P,
        -m.uptake * growth / p.Yxs - production / p.Yps - p.mx * X * left_sugar + u.feed * p.sf / V - D * S,
        kLa * (100.0 - DO) - 100.0 / p.CLs * oxygen - D * DO,
        flow,
        u.precursor_feed * p.c_PAA / V - used * left_acid - D * PAA,
    )


def observe(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """The readings and assays that the state would give."""
    growth, _, oxygen = _rates(x, p, m)
    carbon_dioxide = p.alpha1 * growth + p.alpha2 * x.biomass + p.alpha3
    weight = x.volume  # 1 kg of broth is 1 L
    return x.dissolved_oxygen, oxygen, carbon_dioxide, weight, x.biomass, x.product, x.substrate, x.precursor


def objective(x: Vector) -> Any:
    """Product in the vessel, g."""
    return x.product * x.volume


# Priors are Birol 2002's initial values with the batch-to-batch spread of Goldrick 2015; the random walks and
# the noise floors are design, chosen so that the innovations of simulated batches agree with their expected spread and
# their bands hold the truth as often as they say.
MODEL = Model(
    name="penicillin",
    states=(
        State("biomass", "g/L", 0.1, 0.02, 0.0005),
        State("product", "g/L", 0.0, 1e-4, 3e-5),
        State("substrate", "g/L", 15.0, 1.5, 0.0003),
        State("dissolved_oxygen", "%", 100.0, 2.0, 1.0),
        State("volume", "L", 100.0, 1.0, 0.01),
        State("precursor", "mg/L", 1400.0, 50.0, 5.0),
    ),
    multipliers=(
        Multiplier("growth", 0.15, 0.02, 1.0),
        # Once fed, growth takes an eighth of the sugar: a feed a few per cent off its strength shows here, enlarged.
        Multiplier("uptake", 0.10, 0.03, 1.0),
        Multiplier("production", 0.10, 0.008, 1.0),
        Multiplier("oxygen", 0.10, 0.004, 0.7),
        Multiplier("transfer", 0.15, 0.03, 2.0),  # a thick broth may take up a fifth of what water does
    ),
    inputs=(
        Input("feed", "L/h", 0.0),
        Input("precursor_feed", "L/h", 0.0),
        Input("base_flow", "L/h", 0.0),
        Input("acid_flow", "L/h", 0.0),
        Input("air_flow", "L/h", 8.6),
        Input("agitator_power", "W", 30.0),
    ),
    outputs=(
        Output("dissolved_oxygen", "%", 1.2),  # 1 % of the span
        Output("oxygen_uptake_rate", "g/(L.h)", 0.002, 0.005),
        Output("carbon_dioxide_evolution_rate", "mmol/(L.h)", 2e-6, 0.005),
        Output("weight", "kg", 0.01, 0.001),
        Output("biomass", "g/L", 0.02, 0.05),  # a careful assay of a filamentous broth: 5 %
        Output("product", "g/L", 5e-4, 0.05),
        Output("substrate", "g/L", 0.001, 0.05),
        Output("precursor", "mg/L", 10.0, 0.05),
    ),
    parameters=PARAMETERS,
    rhs=rhs,
    observe=observe,
    objective=objective,
    objective_name="product",
    objective_unit="g",
)
