"""CHO mAb fed batch after Xing, Bishop and Leister (2010), simplified, with a balance of osmoles: the belief.

    mu   = mu_m G/(G + K_S) Q/(Q + K_G) KI_L/(KI_L + L) KI_A/(KI_A + A)
    mu_d = mu_dm L/(L + KD_L) A/(A + KD_A)
    dXv  = (mu - mu_d) Xv - D Xv             dP  = q_mAb G/(G + K_S) Q/(Q + K_G) Xv - D P
    dG   = F SG/V - (m_S + mu/Y_XS) Xv - D G
    dQ   = Fq SQ/V - (a1 Q/(a2 + Q) + mu/Y_XG) Xv - d_G Q - D Q
    dL   = Y_LS (m_S + mu/Y_XS) Xv - D L
    dA   = Y_AG mu/Y_XG Xv - r_A Xv + d_G Q - D A
    dO   = dG + dQ + dA + (Fq cQ + 2 Fb cB)/V - D (O - G - Q - A)                      OUR = q_O2 Xv

It knows nothing of dead cells, of the unknown inhibitor, of a lactate switch, of growth-linked production, nor of
temperature, pH, oxygen and osmotic limits: those show as drifting multipliers. Cells are counted in 10^6/mL, which is
10^9 cells/L. The osmolality O is a state because it is bounded; lactate adds nothing, for it takes bicarbonate's place.
So is the glucose probe's bias, which wanders: else a day of readings outweighs the laboratory's word by their number.
"""

from __future__ import annotations

from typing import Any

from twin.model import Input, Model, Multiplier, Output, Parameter, State, Vector, fmax

XING = "Xing et al. 2010"
CRAVEN = "Craven et al. 2014"

PARAMETERS = (
    Parameter("mu_m", 0.029, "1/h", XING),
    Parameter("mu_dm", 0.016, "1/h", XING),
    Parameter("K_S", 0.084, "mmol/L", XING),
    Parameter("K_G", 0.047, "mmol/L", XING),
    Parameter("KI_L", 43.0, "mmol/L", XING),
    Parameter("KI_A", 6.51, "mmol/L", XING),
    Parameter("KD_L", 45.8, "mmol/L", XING),
    Parameter("KD_A", 6.51, "mmol/L", XING),
    Parameter("m_S", 0.0692, "mmol/(10^9.h)", XING),
    Parameter("a1", 0.0032, "mmol/(10^9.h)", XING),
    Parameter("a2", 2.1, "mmol/L", XING),
    Parameter("d_G", 0.0072, "1/h", XING),
    Parameter("r_A", 0.0063, "mmol/(10^9.h)", XING),
    Parameter("Y_LS", 1.23, "mol/mol", XING),
    Parameter("Y_XS", 0.169, "10^9/mmol", XING),
    Parameter("Y_XG", 0.974, "10^9/mmol", XING),
    Parameter("Y_AG", 0.67, "mol/mol", XING),
    Parameter("q_mAb", 1.2, "mg/(10^9.h)", "de Tremblay et al. 1992: both terms of production, for cells that grow"),
    Parameter("q_O2", 0.32, "mmol/(10^9.h)", XING),
    Parameter("SG", 1306.0, "mmol/L", CRAVEN + ": half of its mixed feed, at twice the strength"),
    Parameter("SQ", 117.6, "mmol/L", CRAVEN + ": the other half"),
    Parameter("cQ", 600.0, "mOsm/L", "design: all else in the amino acid feed"),
    Parameter("cB", 1000.0, "mmol/L", "design: sodium bicarbonate"),
)


def _rates(x: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """Growth and death, 10^9 cells/(L.h); uptake of glucose, of glutamine by cells and by decay, mmol/(L.h)."""
    X, G, Q = fmax(x.viable_cells, 0.0), fmax(x.glucose, 0.0), fmax(x.glutamine, 0.0)
    L, A = fmax(x.lactate, 0.0), fmax(x.ammonia, 0.0)
    growth = m.growth * p.mu_m * G / (G + p.K_S) * Q / (Q + p.K_G) * p.KI_L / (p.KI_L + L) * p.KI_A / (p.KI_A + A) * X
    death = p.mu_dm * L / (L + p.KD_L) * A / (A + p.KD_A) * X
    # The guards are the equations' own saturations: nothing is taken up where nothing is left.
    eaten = m.uptake * (p.m_S * X * G / (G + p.K_S) + growth / p.Y_XS)
    used = m.glutaminolysis * (p.a1 * X * Q / (p.a2 + Q) + growth / p.Y_XG)
    return growth, death, eaten, used, m.glutaminolysis * p.d_G * Q


def rhs(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """Rates of change per hour."""
    G, Q, A, V = x.glucose, x.glutamine, x.ammonia, x.volume
    growth, death, eaten, used, decayed = _rates(x, p, m)
    flow = u.glucose_feed + u.amino_feed + u.base_flow
    D = flow / V
    cells, sugar, amino, ammonia = fmax(x.viable_cells, 0.0), fmax(G, 0.0), fmax(Q, 0.0), fmax(A, 0.0)
    fed = sugar / (sugar + p.K_S) * amino / (amino + p.K_G)  # design: who starves makes nothing
    bound = p.r_A * cells * ammonia / (ammonia + 0.1)  # design: half effect at 0.1 mmol/L
    salts = (u.amino_feed * p.cQ + 2.0 * u.base_flow * p.cB) / V
    dG = u.glucose_feed * p.SG / V - eaten - D * G
    dQ = u.amino_feed * p.SQ / V - used - decayed - D * Q
    dA = p.Y_AG * used - bound + decayed - D * A
    return (
        growth - death - D * x.viable_cells,
        m.production * p.q_mAb * fed * cells - D * x.product,
        dG,
        dQ,
        m.overflow * p.Y_LS * eaten - D * x.lactate,
        dA,
        flow,
        dG + dQ + dA + salts - D * (x.osmolality - G - Q - A),
        0.0,
    )


def observe(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """The readings and assays that the state would give."""
    oxygen = m.oxygen * p.q_O2 * fmax(x.viable_cells, 0.0)
    weight = x.volume  # 1 kg of broth is 1 L
    return (
        *(oxygen, x.glucose + x.probe_bias, weight),
        *(x.viable_cells, x.product, x.glucose, x.glutamine, x.lactate, x.ammonia, x.osmolality),
    )


def objective(x: Vector) -> Any:
    """Antibody in the vessel, mg."""
    return x.product * x.volume


# The prior is Craven et al. 2014's inoculum with the +-20 % of the published controller study; the random walks and
# the noise floors are design. Growth walks fast: an inhibitor that the twin does not know brings it down to nothing.
# Glucose and glutamine walk as much as a feed that is a few per cent stronger than the recipe says makes them.
MODEL = Model(
    name="mab",
    states=(
        State("viable_cells", "10^6/mL", 0.3, 0.035, 0.002),
        State("product", "mg/L", 0.0, 0.01, 0.05),
        State("glucose", "mmol/L", 20.0, 2.3, 0.2),
        State("glutamine", "mmol/L", 4.0, 0.46, 0.04),
        State("lactate", "mmol/L", 1.0, 0.15, 0.05),
        State("ammonia", "mmol/L", 1.5, 0.17, 0.02),
        State("volume", "L", 7.0, 0.07, 0.001),
        State("osmolality", "mOsm/kg", 291.0, 5.0, 0.2),
        State("probe_bias", "mmol/L", 0.0, 3.6, 0.4, positive=False),  # 0.65 g/L for a Raman probe: 10.1002/bit.28717
    ),
    multipliers=(
        Multiplier("growth", 0.5, 0.08, 2.5),
        Multiplier("uptake", 0.25, 0.03, 1.0),
        Multiplier("production", 0.15, 0.015, 1.5),
        Multiplier("overflow", 0.7, 0.1, 3.0),
        Multiplier("glutaminolysis", 0.3, 0.02, 1.5),
        Multiplier("oxygen", 0.08, 0.003, 0.5),
    ),
    inputs=(
        Input("glucose_feed", "L/h", 0.0),
        Input("amino_feed", "L/h", 0.0),
        Input("base_flow", "L/h", 0.0),
    ),
    outputs=(
        Output("oxygen_uptake_rate", "mmol/(L.h)", 0.01, 0.03),
        Output("glucose_probe", "mmol/L", 2.0),  # design: it answers every third scan
        Output("weight", "kg", 0.005, 0.001),
        Output("viable_cells", "10^6/mL", 0.01, 0.08),
        Output("product", "mg/L", 2.0, 0.05),
        Output("glucose", "mmol/L", 1.0),
        Output("glutamine", "mmol/L", 0.2),
        Output("lactate", "mmol/L", 0.5),
        Output("ammonia", "mmol/L", 0.2),
        Output("osmolality", "mOsm/kg", 4.0),
    ),
    parameters=PARAMETERS,
    rhs=rhs,
    observe=observe,
    objective=objective,
    objective_name="product",
    objective_unit="mg",
    step_h=1 / 24,  # glutamine near nothing answers within a quarter of an hour
)
