"""How far each model's parameters may be from the literature: SDs of their logarithms, for a fit to historical batches.

The values themselves, with their sources, stand in the models. Spreads between publications are the guide where there
are several, else design. What is a property of matter, or measured before a batch begins, is not fitted.
"""

from __future__ import annotations

from twin.fit import Prior

PRIORS: dict[str, tuple[Prior, ...]] = {
    "penicillin": (
        Prior("mu_x", 0.15),  # 0.084 to 0.13 1/h in Bajpai & Reuss 1980, Birol 2002 and Banga 2005
        Prior("mu_p", 0.20),  # 0.004 to 0.0055 1/h in the same
        Prior("K", 0.30),  # 0.01 to 0.04 1/h in the same
        Prior("Yxs", 0.10),  # 0.45 to 0.47 g/g in the same; design beyond
        Prior("mx", 0.25),  # 0.014 to 0.029 1/h in the same
        Prior("mo", 0.15),  # design
        Prior("alpha", 0.30),  # design: transfer depends on the vessel
        Prior("Y_PAA_X", 0.20),  # design
        Prior("Y_PAA_P", 0.20),  # design
    ),
    "mab": (
        Prior("mu_m", 0.30),  # 0.029 to 0.048 1/h in Xing 2010, Craven 2014 and de Tremblay 1992
        Prior("mu_dm", 0.50),  # design
        Prior("KI_L", 0.60),  # 43 to 150 mmol/L in Xing 2010 and Craven 2014
        Prior("KI_A", 0.80),  # 6.5 to 40 mmol/L in the same
        Prior("m_S", 0.40),  # 0.07 to 0.14 mmol/(10^9.h) in the same
        Prior("K_S", 0.90),  # 0.08 to 1 mmol/L in Xing 2010, Craven 2014 and de Tremblay 1992
        Prior("K_G", 0.70),  # 0.05 to 0.3 mmol/L in the same
        Prior("a1", 0.80),  # 0.003 to 0.007 mmol/(10^9.h) in Xing 2010 and Craven 2014
        Prior("r_A", 0.90),  # none to 0.0063 mmol/(10^9.h) in the same
        Prior("Y_AG", 0.25),  # 0.6 to 0.9 mol/mol in Craven 2014 and de Tremblay 1992
        Prior("d_G", 0.90),  # 0.001 to 0.0072 1/h in the same
        Prior("Y_LS", 0.25),  # 1.2 to 2 mol/mol in the same
        Prior("Y_XS", 0.30),  # design
        Prior("Y_XG", 0.30),  # 0.97 to 1.3 10^9/mmol in the same
        Prior("q_mAb", 0.30),  # design: differs between clones by far more, and is measured for each
        Prior("q_O2", 0.20),  # design
    ),
}
