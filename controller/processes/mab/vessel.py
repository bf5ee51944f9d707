"""The mAb vessel as it truly is: a CHO fed-batch with dead cells, an unknown inhibitor, gases, pH, heat, osmolality.

Growth, death and metabolism follow Craven, Whelan & Glennon 2014 (J. Process Control 24:344, "Craven 2014") with the
constants of the 7 L fed batch published with a controller for it (Duran-Villalobos 2021); product de Tremblay et al.
1992; the lactate switch the CHO model of Kotidis et al. 2019, without its term of growth, under which lactate would
hold more carbon than the glucose that is gone. Symbols are the papers'. Everything marked "design" has
no literature value.

What the oracle shares is written over named tuples and the free names exp and fmax, without branches, so that it can be
bound to CasADi too: everything from `Broth` to `balances`.
"""

# ruff: noqa: N815 - symbols as in the papers

from __future__ import annotations

import math
from math import exp
from typing import Any, NamedTuple

import numpy as np

from plant_sim.compiled import State, compiled, fmax

DT_MAX_S = 30.0  # RK4 is stable up to 2.8/kLa, some 300 s at 30 1/h


class Parameters(NamedTuple):
    """The constants of the vessel; an addition is switched off by its limit (see `published`)."""

    # growth and death
    mu_max: float = 0.048  # 1/h; Craven 2014
    KG: float = 1.0  # mM, glucose; Craven 2014
    KQ: float = 0.22  # mM, glutamine; Craven 2014
    KL: float = 150.0  # mM, lactate; Craven 2014
    KA: float = 40.0  # mM, ammonium; Craven 2014
    Ci_star: float = 100.0  # mM, unknown inhibitor at which growth ends; Craven 2014
    qi: float = 3.5e-10  # mmol/(cell.h), inhibitor; Craven 2014
    kd_max: float = 0.01  # 1/h; Craven 2014
    kmu: float = 0.01  # 1/h; Craven 2014
    k_lys: float = 0.0  # 1/h, lysis; Craven 2014, the fed batch
    # uptake and by-products
    mG: float = 1.4e-10  # mmol/(cell.h); Craven 2014
    mQ: float = 7e-12  # mmol/(cell.h); Craven 2014
    kdQ: float = 1e-3  # 1/h, glutamine decays to ammonium; Craven 2014
    YXG: float = 1.7e8  # cells/mmol; Craven 2014
    YXQ: float = 1.3e9  # cells/mmol; Craven 2014
    YLG: float = 1.23  # mol/mol, lactate per glucose; Xing 2010 (2 in Craven 2014 leaves no carbon for cells and CO2)
    YAQ: float = 0.9  # mol/mol, ammonium per glutamine; Craven 2014
    switch: float = 1.0  # 1: lactate turns to net uptake; 0: q_L = YLG q_G, Craven 2014
    Lmax1: float = 21.2  # mM; Kotidis 2019
    Lmax2: float = 16.0  # mM; Kotidis 2019
    mL: float = 1.87e-10  # mmol/(cell.h); Kotidis 2019
    # product
    alpha0: float = 2.57e-8 / 24  # mg/(cell.h), growth-associated; de Tremblay 1992
    beta: float = 0.35e-8 / 24  # mg/(cell.h); de Tremblay 1992
    Kmu: float = 0.02 / 24  # 1/h; de Tremblay 1992
    # surroundings, as factors of growth
    T_opt: float = 37.0  # degC
    T_width: float = 6.0  # K; design
    pH_opt: float = 7.05  # design
    pH_width: float = 0.6  # design
    K_O2: float = 0.01  # mM; design
    osm_half: float = (
        380.0  # mOsm/kg, growth is halved; design: the recipe, which overfeeds, ends at its published titre
    )
    osm_width: float = 15.0  # mOsm/kg; design
    # gases
    qO2: float = 3.2e-10  # mmol/(cell.h); as in published code of Xing 2010
    RQ: float = 1.0  # mol/mol; design
    C_star: float = 0.21  # mM, oxygen in equilibrium with air at 37 C; Henry's law
    k_stir: float = 6.0  # 1/h, kLa at 100 rpm; design, so that 60 to 220 rpm give the usual 3 to 20 1/h
    n_stir: float = 1.5  # -, kLa grows with speed to this power; design
    k_strip: float = 0.9  # -, transfer of carbon dioxide per that of oxygen; design, near sqrt of their diffusivities
    H_CO2: float = 22.8  # mM at a mole fraction of 1; Henry's law at 37 C, 0.03 mM/mmHg
    pKa: float = 6.1  # of carbonic acid at 37 C
    # feeds
    SG: float = 1306.0  # mM glucose in its feed; twice Craven 2014's mixed feed, which is split here in two
    SQ: float = 117.6  # mM glutamine in the amino acid feed; twice Craven 2014's mixed feed
    salt_feed: float = 600.0  # mOsm/L of all else in the amino acid feed; design
    base: float = 1000.0  # mM, sodium bicarbonate; design
    # heat
    heat_loss: float = 2.0  # W/K to the room; design
    room: float = 22.0  # degC; design
    cp: float = 1.16  # W.h/(L.K), water
    # the at-line glucose probe
    probe_bias: float = 0.0  # mM


class Inputs(NamedTuple):
    """What pumps, gas valves, the stirrer and the heater do to the vessel."""

    F: float = 0.0  # L/h, glucose feed
    Fq: float = 0.0  # L/h, amino acid feed (glutamine)
    Fb: float = 0.0  # L/h, base
    N: float = 100.0  # rpm
    y_O2: float = 0.21  # -, oxygen in the gas
    y_CO2: float = 0.07  # -, carbon dioxide in the gas
    heat: float = 30.0  # W


class Initial(NamedTuple):
    """The state at inoculation; Craven 2014's fed batch unless marked."""

    Xt: float = 0.33e9  # cells/L
    Xv: float = 0.30e9  # cells/L
    Xd: float = 0.03e9  # cells/L
    G: float = 20.0  # mM
    Q: float = 4.0  # mM
    L: float = 1.0  # mM; design: 20 in Craven 2014, where the switch would begin at its far end
    A: float = 1.5  # mM
    Ci: float = 0.0  # mM
    P: float = 0.0  # mg/L
    V: float = 7.0  # L
    O2: float = 0.2  # mM; design
    CO2: float = 1.683  # mM; design: pH 7.05 with the bicarbonate below
    B: float = 15.0  # mM bicarbonate; design
    T: float = 37.0  # degC
    salt: float = 250.0  # mOsm/L of all that is not named here; design, 290 in all


STATES = Initial._fields
POSITIVE = (3, 4, 5, 6, 10, 11, 12)  # a rounding below nothing is nothing
GUARD_G, GUARD_Q = 0.01, 0.005  # mM; design: nothing is taken up where nothing is left


def published() -> Parameters:
    """The constants under which the equations are those of Craven 2014 and de Tremblay 1992 alone."""
    return Parameters(YLG=2.0, switch=0.0, T_width=math.inf, pH_width=math.inf, K_O2=0.0, osm_half=math.inf)


class Broth(NamedTuple):
    """What the cells live in; units as at the inoculation."""

    Xv: Any
    G: Any
    Q: Any
    L: Any
    A: Any
    Ci: Any
    P: Any
    V: Any


class Conditions(NamedTuple):
    """What surroundings and disturbance make of the constants."""

    f_T: Any  # factors of growth: temperature, acidity, oxygen
    f_pH: Any
    f_O2: Any
    osm: Any  # mOsm/kg
    mu_max: Any  # the rest as in Parameters
    mG: Any
    YXG: Any
    alpha0: Any
    beta: Any
    SG: Any
    SQ: Any


@compiled
def specific_rates(y: Broth, q: Parameters, now: Conditions) -> tuple[Any, Any, Any, Any, Any]:
    """Specific rates: growth and death, 1/h; uptake of glucose and glutamine, release of lactate, mmol/(cell.h)."""
    G, Q, L, A = y.G, y.Q, y.L, y.A
    f_osm = 1.0 / (1.0 + exp((now.osm - q.osm_half) / q.osm_width))
    inhibited = q.KL / (q.KL + L) * q.KA / (q.KA + A) * fmax(0.0, (q.Ci_star - y.Ci) / q.Ci_star)
    mu = now.mu_max * G / (q.KG + G) * Q / (q.KQ + Q) * inhibited * now.f_T * now.f_pH * now.f_O2 * f_osm
    kd = q.kd_max * q.kmu / (mu + q.kmu)
    q_G = mu / now.YXG + now.mG * G / (G + GUARD_G)
    q_Q = mu / q.YXQ + q.mQ * Q / (Q + GUARD_Q)
    overflow = q.YLG * q_G
    switched = overflow * (q.Lmax1 - L) / q.Lmax1 + q.mL * (q.Lmax2 - L) / q.Lmax2
    return mu, kd, q_G, q_Q, q.switch * switched + (1.0 - q.switch) * overflow


@compiled
def balances(y: Broth, u: Inputs, q: Parameters, now: Conditions, specific: tuple[Any, Any, Any, Any, Any]) -> Broth:
    """Time derivatives of the broth, per hour, at these specific rates."""
    Xv, Q, V = y.Xv, y.Q, y.V
    mu, kd, q_G, q_Q, q_L = specific
    flow = u.F + u.Fq + u.Fb
    D = flow / V
    q_P = now.alpha0 * mu / (q.Kmu + mu) + now.beta
    return Broth(
        Xv=-D * Xv + (mu - kd) * Xv,
        G=-D * y.G + (u.F * now.SG / V - q_G * Xv),
        Q=-D * Q + (u.Fq * now.SQ / V - q_Q * Xv - q.kdQ * Q),
        L=-D * y.L + q_L * Xv,
        A=-D * y.A + (q.YAQ * q_Q * Xv + q.kdQ * Q),
        Ci=-D * y.Ci + q.qi * Xv,
        P=-D * y.P + q_P * Xv,
        V=flow,
    )


@compiled
def acidity(y: State, q: Parameters) -> float:
    """The pH of the bicarbonate buffer (Henderson and Hasselbalch)."""
    pH: float = q.pKa + math.log10(max(y[12], 1e-6) / max(y[11], 1e-6))
    return pH


@compiled
def osmolality(y: State) -> float:
    """What is dissolved, mOsm/kg, ideal and in water."""
    total: float = y[3] + y[4] + y[5] + y[6] + y[12] + y[14]
    return total


@compiled
def _broth(y: State) -> Broth:
    return Broth(Xv=y[1], G=y[3], Q=y[4], L=y[5], A=y[6], Ci=y[7], P=y[8], V=y[9])


@compiled
def _conditions(y: State, q: Parameters) -> Conditions:
    """What the vessel's own temperature, acidity, oxygen and osmolality make of growth."""
    f_T = max(0.0, 1.0 - ((y[13] - q.T_opt) / q.T_width) ** 2)
    f_pH = max(0.0, 1.0 - ((acidity(y, q) - q.pH_opt) / q.pH_width) ** 2)
    f_O2 = y[10] / (y[10] + q.K_O2) if y[10] > 0.0 else 0.0
    return Conditions(f_T, f_pH, f_O2, osmolality(y), q.mu_max, q.mG, q.YXG, q.alpha0, q.beta, q.SG, q.SQ)


@compiled
def kinetics(y: State, q: Parameters) -> tuple[float, float, float, float, float]:
    """Specific rates: growth and death, 1/h; uptake of glucose and glutamine, release of lactate, mmol/(cell.h)."""
    return specific_rates(_broth(y), q, _conditions(y, q))


@compiled
def kla(u: Inputs, q: Parameters) -> float:
    """Oxygen transfer coefficient, 1/h."""
    transfer: float = q.k_stir * (u.N / 100.0) ** q.n_stir
    return transfer


@compiled
def off_gas(y: State, u: Inputs, q: Parameters) -> tuple[float, float]:
    """Oxygen uptake and carbon dioxide evolution, mmol/(L.h)."""
    taken = q.qO2 * y[1] * (y[10] / (y[10] + 1e-3) if y[10] > 0.0 else 0.0)  # design: no uptake without oxygen
    return taken, q.k_strip * kla(u, q) * (y[11] - q.H_CO2 * u.y_CO2)


@compiled
def rates(y: State, u: Inputs, q: Parameters) -> State:
    """Time derivatives of STATES, per hour."""
    Xv, Xd, V, O2, B = y[1], y[2], y[9], y[10], y[12]
    now = _conditions(y, q)
    specific = specific_rates(_broth(y), q, now)
    mu, kd, _, _, q_L = specific
    broth = balances(_broth(y), u, q, now, specific)
    oxygen, stripped = off_gas(y, u, q)
    D = broth.V / V
    equilibrium = q.C_star * u.y_O2 / 0.21
    dy = -D * y
    dy[0] += mu * Xv - q.k_lys * Xd
    dy[1] = broth.Xv
    dy[2] += kd * Xv - q.k_lys * Xd
    dy[3:10] = broth[1:]
    dy[10] += kla(u, q) * (equilibrium - O2) - oxygen
    # Lactic acid turns bicarbonate into carbon dioxide; its uptake gives bicarbonate back.
    dy[11] += q.RQ * oxygen + q_L * Xv - stripped
    dy[12] += u.Fb * q.base / V - q_L * Xv * (B / (B + 0.1) if q_L > 0.0 else 1.0)
    # The feeds are warm; the heater works against the room.
    dy[13] = (u.heat - q.heat_loss * (y[13] - q.room)) / (q.cp * V)
    dy[14] += u.Fq * q.salt_feed / V + u.Fb * q.base / V
    derivatives: State = dy
    return derivatives


@compiled
def integrate(y: State, u: Inputs, q: Parameters, dt_h: float, steps: int) -> State:
    """The state after `steps` Runge-Kutta steps of `dt_h` under constant inputs."""
    half = 0.5 * dt_h
    for _ in range(steps):
        a = rates(y, u, q)
        b = rates(y + half * a, u, q)
        c = rates(y + half * b, u, q)
        d = rates(y + dt_h * c, u, q)
        y = y + dt_h / 6.0 * (a + 2.0 * b + 2.0 * c + d)
        for i in POSITIVE:
            y[i] = max(y[i], 0.0)
    return y


def advance(y: State, u: Inputs, q: Parameters, seconds: float) -> State:
    """The state `seconds` later, in equal steps of at most DT_MAX_S."""
    steps = max(1, math.ceil(seconds / DT_MAX_S - 1e-9))
    return integrate(y, u, q, seconds / 3600.0 / steps, steps)


def inoculated(initial: Initial) -> State:
    """The state vector at the start of a batch."""
    return np.array(initial, dtype=np.float64)


def warm() -> None:
    """Compile everything now."""
    advance(inoculated(Initial()), Inputs(), Parameters(), DT_MAX_S)
