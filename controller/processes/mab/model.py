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
    cells, _, glucose, glutamine, lactate, ammonia, _, _, _ = x
    mu_m, mu_dm, K_S, K_G, KI_L, KI_A, KD_L, KD_A, m_S, a1, a2, d_G = p[:12]
    X, G, Q = fmax(cells, 0.0), fmax(glucose, 0.0), fmax(glutamine, 0.0)
    L, A = fmax(lactate, 0.0), fmax(ammonia, 0.0)
    growth = m[0] * mu_m * G / (G + K_S) * Q / (Q + K_G) * KI_L / (KI_L + L) * KI_A / (KI_A + A) * X
    death = mu_dm * L / (L + KD_L) * A / (A + KD_A) * X
    # The guards are the equations' own saturations: nothing is taken up where nothing is left.
    eaten = m[1] * (m_S * X * G / (G + K_S) + growth / p[14])
    used = m[4] * (a1 * X * Q / (a2 + Q) + growth / p[15])
    return growth, death, eaten, used, m[4] * d_G * Q


def rhs(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """Rates of change per hour."""
    X, P, G, Q, L, A, V, O, _ = x  # noqa: E741 - symbols as above
    glucose_feed, amino_feed, base_flow = u
    r_A, Y_LS, Y_AG, q_mAb, SG, SQ, cQ, cB = p[12], p[13], p[16], p[17], p[19], p[20], p[21], p[22]
    growth, death, eaten, used, decayed = _rates(x, p, m)
    flow = glucose_feed + amino_feed + base_flow
    D = flow / V
    ammonia, sugar, amino = fmax(A, 0.0), fmax(G, 0.0), fmax(Q, 0.0)
    fed = sugar / (sugar + p[2]) * amino / (amino + p[3])  # design: who starves makes nothing
    bound = r_A * fmax(X, 0.0) * ammonia / (ammonia + 0.1)  # design: half effect at 0.1 mmol/L
    dG = glucose_feed * SG / V - eaten - D * G
    dQ = amino_feed * SQ / V - used - decayed - D * Q
    dA = Y_AG * used - bound + decayed - D * A
    return (
        growth - death - D * X,
        m[2] * q_mAb * fed * fmax(X, 0.0) - D * P,
        dG,
        dQ,
        m[3] * Y_LS * eaten - D * L,
        dA,
        flow,
        dG + dQ + dA + (amino_feed * cQ + 2.0 * base_flow * cB) / V - D * (O - G - Q - A),
        0.0,
    )


def observe(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    """The readings and assays that the state would give."""
    X, P, G, Q, L, A, V, O, bias = x  # noqa: E741 - symbols as above
    oxygen = m[5] * p[18] * fmax(X, 0.0)
    return oxygen, G + bias, V, X, P, G, Q, L, A, O  # 1 kg of broth is 1 L


def objective(x: Vector) -> Any:
    """Antibody in the vessel, mg."""
    return x[1] * x[6]


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
