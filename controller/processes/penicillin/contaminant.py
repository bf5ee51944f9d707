"""Foreign bacteria in a penicillin broth: they outgrow the mould, eat its sugar and take its oxygen.

The constants are design, of the order of a fast aerobic bacterium; oxygen is in the scaled unit of Birol et al. 2002
(Comput. Chem. Eng. 26:1553-1565), so its yield is that of the mould there.
"""

from __future__ import annotations

from dataclasses import dataclass

MU = 0.30  # 1/h, maximum growth
KS = 0.02  # g/L of sugar at half of it
KO = 0.05  # g/L of oxygen at half of it, scaled
DEATH = 0.02  # 1/h
YXS = 0.50  # g/g, cells per sugar
YXO = 0.04  # g/g, cells per oxygen, scaled; Birol 2002
MO = 0.467  # 1/h, oxygen for maintenance, scaled; Birol 2002
CO2 = 0.143  # mmol/g with growth; Birol 2002


@dataclass(frozen=True, slots=True)
class Toll:
    """What they do to the broth at one instant."""

    growth: float  # g/(L.h) of their cells, deaths taken off
    sugar: float  # g/(L.h)
    oxygen: float  # g/(L.h), scaled
    carbon_dioxide: float  # mmol/(L.h)


def toll(cells: float, sugar: float, oxygen: float) -> Toll:
    """The rates at these concentrations, g/L."""
    air = oxygen / (oxygen + KO)
    grown = MU * sugar / (sugar + KS) * air * cells
    return Toll(grown - DEATH * cells, grown / YXS, grown / YXO + MO * air * cells, CO2 * grown)
