"""The penicillin vessel as it truly is: PenSim's fed-batch with precursor, broth viscosity and culture age.

The backbone is Birol, Undey & Cinar 2002 (Comput. Chem. Eng. 26:1553-1565, "Birol 2002"); its constants are read
from the paper and from published models built on it. Precursor and viscosity follow Goldrick et al. 2015
(J. Biotechnol. 193:70-82, "Goldrick 2015"), with rates rewritten for a 100 L vessel. Symbols are the papers'.
Everything marked "design" has no literature value.

What the oracle shares is written over named tuples and the free names exp, sqrt, tanh and fmax, without branches, so
that it can be bound to CasADi too: everything from `Broth` to `balances`.
"""

# ruff: noqa: N815 - symbols as in the papers

from __future__ import annotations

import math
from math import exp, sqrt, tanh
from typing import Any, NamedTuple

import numpy as np

from plant_sim.compiled import State, compiled, fmax

DT_MAX_S = 10.0  # RK4 is stable up to 2.8/kLa, some 80 s at 127 1/h; 10 s also follows sugar at exhaustion


class Parameters(NamedTuple):
    """The constants of the vessel; a NamedTuple because compiled code takes one as it is.

    An addition is switched off by its limit: A50 or the upper precursor window to +inf, the lower one to -inf,
    the viscosity exponent to 0.
    """

    # growth
    mu_x: float = 0.092  # 1/h, maximum specific growth rate; Birol 2002
    Kx: float = 0.15  # -, Contois saturation; Birol 2002
    Kox: float = 2e-2  # -, oxygen limitation of growth; Birol 2002
    K1: float = 1e-10  # mol/L, pH factor; Birol 2002
    K2: float = 7e-5  # mol/L, pH factor; Birol 2002
    kg: float = 7e3  # -, Arrhenius factor of growth; Birol 2002
    Eg: float = 5100.0  # cal/mol, activation energy of growth; Birol 2002
    kd: float = 1e33  # -, Arrhenius factor of thermal death; Birol 2002
    Ed: float = 50000.0  # cal/mol, activation energy of thermal death; Birol 2002
    # production
    mu_p: float = 0.005  # 1/h, maximum specific production rate; Birol 2002
    Kp: float = 2e-4  # g/L, sugar saturation of production; Birol 2002
    KI: float = 0.10  # g/L, sugar inhibition of production; Birol 2002
    Kop: float = 5e-4  # -, oxygen limitation of production; Birol 2002
    p: float = 3.0  # -, oxygen exponent; Birol 2002
    K: float = 0.04  # 1/h, hydrolysis at pH 5.0 and 298 K; Birol 2002
    A50: float = 300.0  # h, age of half activity; design, suits batches of 230 to 400 h
    # yields and maintenance
    Yxs: float = 0.45  # g/g, biomass per sugar; Birol 2002
    Yps: float = 0.90  # g/g, penicillin per sugar; Birol 2002
    Yxo: float = 0.04  # g/g, biomass per oxygen; Birol 2002
    Ypo: float = 0.20  # g/g, penicillin per oxygen; Birol 2002
    mx: float = 0.014  # 1/h, sugar maintenance; Birol 2002
    mo: float = 0.467  # 1/h, oxygen maintenance; Birol 2002
    # oxygen transfer
    alpha: float = 35.0  # kLa = alpha sqrt(fg) (Pw/V)^beta; Birol 2002 prints 70; design: half, so viscosity matters
    beta: float = 0.4  # -; Birol 2002
    CL_star: float = 1.16  # g/L, oxygen saturation as scaled by Birol 2002
    vis0: float = 4.0  # cP, viscosity at which kLa is the printed one; design
    n_vis: float = 0.38  # -, kLa falls with viscosity to this power; Goldrick 2015
    # carbon dioxide
    alpha1: float = 0.143  # mmol/g, with growth; Birol 2002
    alpha2: float = 4e-7  # mmol/(g.h), maintenance; Birol 2002
    alpha3: float = 1e-4  # mmol/(L.h), with production; Birol 2002
    # acidity and feeds
    gamma: float = 1e-5  # mol/g, protons with growth; Birol 2002
    Cab: float = 3.0  # mol/L, strength of acid and base; Birol 2002
    sf: float = 600.0  # g/L, sugar in its feed; Birol 2002
    c_PAA: float = 530_000.0  # mg/L, precursor in its feed; Goldrick 2015
    # heat
    rq1: float = 60.0  # cal/g, with growth; Birol 2002
    rq2: float = 1.68e-4  # cal/(g.h), maintenance; Birol 2002
    rhoCp: float = 1500.0  # cal/(L.K), broth; Birol 2002 prints the inverse
    rhocCpc: float = 2000.0  # cal/(L.K), coolant; Birol 2002 prints the inverse
    a: float = 1000.0  # cal/(h.K), heat transfer; Birol 2002
    b: float = 0.6  # -, heat transfer; Birol 2002
    Tc: float = 289.8  # K, coolant; published model built on Birol 2002
    Th: float = 323.0  # K, heating water; published model built on Birol 2002
    Tf: float = 296.0  # K, feed; Birol 2002
    # evaporation
    lam: float = 2.5e-4  # 1/h; Birol 2002 (1.0039e-4 is also printed)
    T0: float = 273.0  # K, freezing; Birol 2002
    Tv: float = 373.0  # K, boiling; Birol 2002
    # precursor (phenylacetic acid, PAA)
    Y_PAA_P: float = 187.5  # mg/g, used per penicillin; Goldrick 2015
    Y_PAA_X: float = 45.0  # mg/g, used per biomass; Goldrick 2015
    m_PAA: float = 1.05  # mg/(g.h), maintenance per penicillin; Goldrick 2015
    PAA_low: float = 200.0  # mg/L, production needs more; Goldrick 2015
    PAA_high: float = 2400.0  # mg/L, growth needs less; Goldrick 2015
    w: float = 50.0  # mg/L, width of both windows; design (1 in Goldrick 2015)
    # viscosity
    phi: float = 0.4  # -, growing share of the biomass; design
    k1: float = 1e-3  # 1/h; Goldrick 2015
    k2: float = 1e-4  # 1/h; Goldrick 2015
    k3: float = 5e-3  # cP/L, thinning by water; Goldrick 2015
    t1: float = 1.0  # h; Goldrick 2015
    t2: float = 250.0  # h; Goldrick 2015


class Inputs(NamedTuple):
    """What pumps, valves and the agitator do to the vessel."""

    F: float = 0.0  # L/h, sugar feed
    Fpaa: float = 0.0  # L/h, precursor feed
    Fa: float = 0.0  # L/h, acid
    Fb: float = 0.0  # L/h, base
    Fc: float = 0.0  # L/h, coolant
    Fh: float = 0.0  # L/h, heating water
    fg: float = 8.6  # L/h, aeration; Birol 2002
    Pw: float = 30.0  # W, agitator power; Birol 2002
    Fw: float = 0.0  # L/h, water
    Fdis: float = 0.0  # L/h, harvest of whole broth, which changes no concentration


class Initial(NamedTuple):
    """The state at inoculation, in the order of STATES but with pH for the net acidity Z."""

    X: float = 0.1  # g/L, biomass; Birol 2002
    P: float = 0.0  # g/L, penicillin
    S: float = 15.0  # g/L, sugar; Birol 2002
    CL: float = 1.16  # g/L, dissolved oxygen; Birol 2002
    V: float = 100.0  # L; Birol 2002
    pH: float = 5.0  # Birol 2002
    T: float = 298.0  # K; Birol 2002
    CO2: float = 0.5  # mmol/L, evolved so far; Birol 2002
    Q: float = 0.0  # cal, heat generated so far
    PAA: float = 1400.0  # mg/L; Goldrick 2015
    A: float = 0.0  # h, biomass-weighted age
    vis: float = 4.0  # cP; Goldrick 2015


class Broth(NamedTuple):
    """What the cells live in; units as at the inoculation."""

    X: Any
    P: Any
    S: Any
    CL: Any
    V: Any
    PAA: Any
    A: Any
    vis: Any


class Conditions(NamedTuple):
    """What acidity, temperature and disturbance make of the constants."""

    mu_x: Any  # 1/h, maximum specific growth rate
    mu_p: Any  # 1/h, maximum specific production rate
    K: Any  # 1/h, hydrolysis
    loss: Any  # 1/h, evaporation
    sf: Any  # g/L, sugar in its feed
    c_PAA: Any  # mg/L, precursor in its feed


STATES = ("X", "P", "S", "CL", "V", "Z", "T", "CO2", "Q", "PAA", "A", "vis")
KW = 1e-14  # mol2/L2, ion product of water
GAS = 1.987  # cal/(mol.K)
PAA_GUARD = 1.0  # mg/L; design: consumption stops at no precursor, and is untouched at the production window


@compiled
def growth_rate(H: Any, T: Any, q: Parameters) -> Any:
    """The maximum specific growth rate, 1/h, at so many hydrogen ions (mol/L) and this temperature (K)."""
    f_pH = 1.0 / (1.0 + q.K1 / H + H / q.K2)
    f_T = q.kg * exp(-q.Eg / (GAS * T)) - q.kd * exp(-q.Ed / (GAS * T))
    return q.mu_x * f_pH * f_T


@compiled
def hydrolysis(pH: Any, T: Any, K: Any) -> Any:
    """First-order loss of penicillin, 1/h: Goldrick 2015's dependence, scaled to Birol 2002's K at pH 5, 298 K."""
    ln_mu_h = -64.29 - 1.825 * pH + 0.3649 * T + 0.1280 * pH**2 - 4.9496e-4 * T**2
    nominal = -64.29 - 1.825 * 5.0 + 0.3649 * 298.0 + 0.1280 * 5.0**2 - 4.9496e-4 * 298.0**2
    return K * exp(ln_mu_h - nominal)


@compiled
def evaporation(T: Any, q: Parameters) -> Any:
    """The share of the volume that evaporates, 1/h."""
    return q.lam * (exp(5.0 * (T - q.T0) / (q.Tv - q.T0)) - 1.0)


@compiled
def specific_rates(y: Broth, q: Parameters, now: Conditions) -> tuple[Any, Any]:
    """Specific rates of growth and production, 1/h."""
    X, S, CL = y.X, y.S, y.CL
    f_PAA_X = 0.5 * (1.0 + tanh((q.PAA_high - y.PAA) / q.w))
    f_PAA_P = 0.5 * (1.0 + tanh((y.PAA - q.PAA_low) / q.w))
    f_age = 1.0 / (1.0 + (y.A / q.A50) ** 4)
    mu = now.mu_x * S / (q.Kx * X + S) * CL / (q.Kox * X + CL) * f_PAA_X
    q_P = now.mu_p * S / (q.Kp + S + S * S / q.KI) * CL**q.p / (q.Kop * X + CL**q.p) * f_PAA_P * f_age
    return mu, q_P


@compiled
def oxygen_uptake(y: Broth, q: Parameters, mu: Any, q_P: Any) -> Any:
    """What the cells breathe at these specific rates, g/(L.h)."""
    mo = q.mo * y.CL / (y.CL + 1e-2)  # design: no uptake without oxygen
    return mu * y.X / q.Yxo + q_P * y.X / q.Ypo + mo * y.X


@compiled
def transfer(y: Broth, u: Inputs, q: Parameters) -> Any:
    """The oxygen transfer coefficient kLa, 1/h."""
    f_vis = (fmax(y.vis, 4.0) / q.vis0) ** (-q.n_vis)
    return q.alpha * sqrt(u.fg) * (u.Pw / y.V) ** q.beta * f_vis


@compiled
def balances(t_h: Any, y: Broth, u: Inputs, q: Parameters, now: Conditions, specific: tuple[Any, Any]) -> Broth:
    """Time derivatives of the broth, per hour, at these specific rates."""
    X, P, S, CL, V, PAA = y.X, y.P, y.S, y.CL, y.V, y.PAA
    mu, q_P = specific
    our = oxygen_uptake(y, q, mu, q_P)
    D = (u.F + u.Fa + u.Fb + u.Fw + u.Fpaa) / V - now.loss
    mx = q.mx * S / (S + 1e-3)  # design: no uptake without sugar
    # Gross rates, where Goldrick 2015 has net ones, so that consumption never becomes a source.
    used = (q.Y_PAA_P * q_P * X + q.Y_PAA_X * mu * X + q.m_PAA * P) * (PAA / (PAA + PAA_GUARD))
    swelling = (1.0 + exp(-q.k1 * (t_h - q.t1))) * (1.0 + exp(-q.k2 * (t_h - q.t2)))
    return Broth(
        X=mu * X - D * X,
        P=q_P * X - now.K * P - D * P,
        S=-mu * X / q.Yxs - q_P * X / q.Yps - mx * X + u.F * now.sf / V - D * S,
        CL=-our + transfer(y, u, q) * (q.CL_star - CL) - D * CL,
        V=D * V - u.Fdis,
        PAA=u.Fpaa * now.c_PAA / V - used - D * PAA,
        A=1.0 - mu * y.A,  # design; new cells are young
        vis=3.0 * (q.phi * X) ** (1.0 / 3.0) / swelling - q.k3 * u.Fw,
    )


@compiled
def hydrogen(Z: float) -> float:
    """Hydrogen ions (mol/L) from the net acidity Z = H - Kw/H, without loss of digits on the alkaline side."""
    root = sqrt(Z * Z + 4.0 * KW)
    return 0.5 * (Z + root) if Z >= 0.0 else 2.0 * KW / (root - Z)


@compiled
def _broth(y: State) -> Broth:
    return Broth(X=y[0], P=y[1], S=y[2], CL=y[3], V=y[4], PAA=y[9], A=y[10], vis=y[11])


@compiled
def _conditions(y: State, q: Parameters) -> Conditions:
    """What the vessel's own acidity and temperature make of the constants."""
    H, T = hydrogen(y[5]), y[6]
    K = hydrolysis(-math.log10(H), T, q.K)
    return Conditions(growth_rate(H, T, q), q.mu_p, K, evaporation(T, q), q.sf, q.c_PAA)


@compiled
def kinetics(y: State, q: Parameters) -> tuple[float, float]:
    """Specific rates of growth and production, 1/h."""
    return specific_rates(_broth(y), q, _conditions(y, q))


@compiled
def off_gas(y: State, q: Parameters) -> tuple[float, float]:
    """Oxygen uptake, g/(L.h), and carbon dioxide evolution, mmol/(L.h)."""
    mu, q_P = kinetics(y, q)
    return oxygen_uptake(_broth(y), q, mu, q_P), q.alpha1 * mu * y[0] + q.alpha2 * y[0] + q.alpha3


@compiled
def _heat_transfer(flow: float, q: Parameters) -> float:
    """h(Fc) of Birol 2002 in cal/(h.K); as printed it lacks its driving force, which the balance supplies."""
    if flow <= 0.0:
        return 0.0
    transferred: float = q.a * flow ** (q.b + 1.0) / (flow + q.a * flow**q.b / (2.0 * q.rhocCpc))
    return transferred


@compiled
def rates(t_h: float, y: State, u: Inputs, q: Parameters) -> State:
    """Time derivatives of STATES, per hour."""
    X, V, Z, T = y[0], y[4], y[5], y[6]
    now = _conditions(y, q)
    mu, q_P = specific_rates(_broth(y), q, now)
    broth = balances(t_h, _broth(y), u, q, now, (mu, q_P))
    heat = (q.rq1 * broth.X + q.rq2 * X) * V
    # Birol 2002 prints F/sf for the feed's enthalpy and no temperature difference; F/V and (T - Tc) balance.
    exchanged = _heat_transfer(u.Fh, q) * (q.Th - T) - _heat_transfer(u.Fc, q) * (T - q.Tc)
    dy = np.empty(12)
    dy[:5] = broth[:5]
    # The continuous form of the printed pH step, with base opposing acid.
    dy[5] = q.gamma * (mu * X - u.F * X / V) + q.Cab * (u.Fa - u.Fb) / V - Z * (u.Fa + u.Fb) / V
    dy[6] = u.F / V * (q.Tf - T) + (heat + exchanged) / (V * q.rhoCp)
    dy[7] = q.alpha1 * broth.X + q.alpha2 * X + q.alpha3
    dy[8] = heat
    dy[9:] = broth[5:]
    return dy


@compiled
def integrate(t_h: float, y: State, u: Inputs, q: Parameters, dt_h: float, steps: int) -> State:
    """The state after `steps` Runge-Kutta steps of `dt_h` under constant inputs."""
    half = 0.5 * dt_h
    for _ in range(steps):
        a = rates(t_h, y, u, q)
        b = rates(t_h + half, y + half * a, u, q)
        c = rates(t_h + half, y + half * b, u, q)
        d = rates(t_h + dt_h, y + dt_h * c, u, q)
        y = y + dt_h / 6.0 * (a + 2.0 * b + 2.0 * c + d)
        t_h += dt_h
        for i in (0, 1, 2, 3, 9):  # a rounding below nothing is nothing
            y[i] = max(y[i], 0.0)
    return y


def advance(t_h: float, y: State, u: Inputs, q: Parameters, seconds: float) -> State:
    """The state `seconds` later, in equal steps of at most DT_MAX_S."""
    steps = max(1, math.ceil(seconds / DT_MAX_S - 1e-9))
    return integrate(t_h, y, u, q, seconds / 3600.0 / steps, steps)


def inoculated(initial: Initial) -> State:
    """The state vector at the start of a batch."""
    H = 10.0**-initial.pH
    values = initial._asdict() | {"Z": H - KW / H}
    return np.array([values[name] for name in STATES])


def warm() -> None:
    """Compile everything now."""
    advance(0.0, inoculated(Initial()), Inputs(), Parameters(), DT_MAX_S)
