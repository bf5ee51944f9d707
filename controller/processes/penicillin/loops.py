"""Local loops of the penicillin vessel: acidity, temperature, and oxygen by a cascade."""

from __future__ import annotations

from plant_sim.regulators import PidTuning, Stage

KELVIN = 273.15
PH = 5.0  # Birol 2002
PH_GAP = 0.01  # Birol 2002; base holds the lower edge and acid the upper one, so that they never fight
TEMPERATURE_C = 298.0 - KELVIN  # Birol 2002
# Birol 2002 prints 2 K, over which growth changes by 6 %; a tenth of that still keeps coolant and heat apart.
TEMPERATURE_GAP = 0.2
# Design: the most that 50 W holds to the end of a batch whose oxygen transfer is not among the poorest. It spares
# power early, keeps production clear of oxygen limitation late, and makes power tell what the broth consumes.
OXYGEN = 60.0

# The oxygen cascade: agitation first, then air, then pure oxygen, each to its limit. The demand counts in watts of
# agitation; the parts of air and oxygen are as wide as makes a watt of demand weigh about as much as one of agitation.
CASCADE = (
    Stage("power", 20.0, 50.0, 20.0, 50.0),  # W; Birol 2002
    Stage("air", 8.6, 10.0, 50.0, 60.0),  # L/h; 8.6 to 10: Birol 2002 and the range of models built on it
    Stage("oxygen", 0.0, 2.0, 60.0, 120.0),  # L/h; design
)
_COLD, _WARM = TEMPERATURE_C - TEMPERATURE_GAP, TEMPERATURE_C + TEMPERATURE_GAP
# Gains and times of acid, base and heating as printed by Birol 2002. They hold pH within 0.1. Cooling has a tenth
# of the printed 70 L/(h.K), as in a published model, and no derivative: 1.6 h of it turns the transmitter's noise
# into bursts of coolant beyond all heat that the broth gives. Filters, and flow limits of water, are design.
TUNINGS = {
    "base": PidTuning("AIC101.PV", PH - PH_GAP, 8e-4, 4.2, 0.2625, 0.15, 0.0, 0.1, 0.0),
    "acid": PidTuning("AIC101.PV", PH + PH_GAP, -1e-4, 8.4, 0.125, 0.15, 0.0, 1e-5, 0.0),
    "cooling": PidTuning("TIC101.PV", _WARM, -7.0, 0.5, 0.0, 0.2, 0.0, 500.0, 0.0),
    "heating": PidTuning("TIC101.PV", _COLD, 5.0, 0.8, 0.05, 0.2, 0.0, 100.0, 0.0),
    # Tuned here for a response of half an hour, slow against the probe.
    "oxygen": PidTuning("AIC102.PV", OXYGEN, 0.3, 0.1, 0.0, 0.05, 20.0, CASCADE[-1].end, 30.0, CASCADE),
}
SETPOINTS = {"AIC101.SP": PH, "TIC101.SP": TEMPERATURE_C, "AIC102.SP": OXYGEN}
LIMITS = {"AIC101": (4.0, 6.5), "TIC101": (20.0, 30.0), "AIC102": (10.0, 90.0)}  # of remote setpoints; design
