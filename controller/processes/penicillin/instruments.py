"""Instruments and laboratory of the penicillin vessel: spans, lags, noise and sampling."""

from __future__ import annotations

from plant_sim.instruments import Instrument, Point
from plant_sim.laboratory import Analysis

EVERY_S = 12 * 3600.0  # Goldrick 2015: off-line assays every 12 h
DELAY_S = 4 * 3600.0  # Goldrick 2015: the result takes 4 h
CV = 0.05  # design: a careful assay of a filamentous broth


def _instrument(
    tag: str, unit: str, low: float, high: float, text: str, lag_s: float, noise: float, relative: float
) -> Instrument:
    return Instrument(Point(tag, unit, low, high, text), lag_s, noise, relative)


# Noise and lags are design: 1 % of span for oxygen, 0.01 pH, 0.05 K, 0.1 % of weight, 0.5 % for gas and flows;
# membranes and gas lines answer within a minute or two.
INSTRUMENTS = (
    _instrument("AIC102.PV", "%", 0.0, 120.0, "Dissolved oxygen", 45.0, 1.2, 0.0),
    _instrument("AIC101.PV", "pH", 2.0, 12.0, "pH", 15.0, 0.01, 0.0),
    _instrument("TIC101.PV", "degC", 0.0, 60.0, "Temperature", 60.0, 0.05, 0.0),
    _instrument("WI101.PV", "kg", 0.0, 200.0, "Net broth weight", 0.0, 0.0, 0.001),
    _instrument("AI302.PV", "g/(L.h)", 0.0, 60.0, "Oxygen uptake rate", 120.0, 0.0, 0.005),
    _instrument("AI301.PV", "mmol/(L.h)", 0.0, 5.0, "Carbon dioxide evolution rate", 120.0, 0.0, 0.005),
    _instrument("FIC101.PV", "L/h", 0.0, 20.0, "Air flow", 0.0, 0.0, 0.005),
    _instrument("JIC101.PV", "W", 0.0, 100.0, "Agitator power", 0.0, 0.0, 0.005),
    _instrument("FI203.PV", "L/h", 0.0, 0.2, "Base flow", 0.0, 0.0, 0.005),
    _instrument("FI204.PV", "L/h", 0.0, 1e-4, "Acid flow", 0.0, 0.0, 0.005),
    _instrument("FIC201.PV", "L/h", 0.0, 0.1, "Sugar feed", 0.0, 0.0, 0.005),
    _instrument("FIC202.PV", "L/h", 0.0, 0.005, "Precursor feed", 0.0, 0.0, 0.005),
)
# What serves the vessel; it has a panel of its own, so that the noise of the twelve above stays what it was.
SERVICES = (
    _instrument("FIC102.PV", "L/h", 0.0, 5.0, "Oxygen flow", 0.0, 0.0, 0.005),
    _instrument("LI102.PV", "%", 0.0, 100.0, "Foam level", 10.0, 0.5, 0.0),
    _instrument("FI205.PV", "L/h", 0.0, 0.1, "Antifoam flow", 0.0, 0.0, 0.005),
)
ASSAYS = (
    Point("LAB.BIOMASS", "g/L", 0.0, 60.0, "Biomass"),
    Point("LAB.PRODUCT", "g/L", 0.0, 5.0, "Penicillin"),
    Point("LAB.SUBSTRATE", "g/L", 0.0, 60.0, "Sugar"),
    Point("LAB.PRECURSOR", "mg/L", 0.0, 10000.0, "Precursor (phenylacetic acid)"),
    Point("LAB.VISCOSITY", "cP", 0.0, 1000.0, "Viscosity"),
)
ANALYSES = tuple(Analysis(point, 0.0, CV) for point in ASSAYS)
