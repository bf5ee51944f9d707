"""The study of the simulated penicillin plant: what benches judge on it, what breaks, and what they ask of the twin."""

from __future__ import annotations

import math

from controller.processes.penicillin.product_limit import Told
from controller.processes.penicillin.stream import STREAM
from controller.processes.study import Drill, Estimation, Study
from plant_sim.faults import VESSEL, Fault, FaultKind

ESTIMATION = Estimation(
    judged=("biomass", "product", "substrate"),
    banded=("biomass", "product", "precursor"),
    faults=(  # windows and the shares of air and sugar after Goldrick 2015, other sizes design
        Fault(FaultKind.UNDER_DELIVERY, "FIC201", 0.8, 76.0 * 3600.0, 92.0 * 3600.0),
        Fault(FaultKind.KLA_LOSS, "R1", 0.5, 100.0 * 3600.0, 110.0 * 3600.0),
        Fault(FaultKind.DRIFT, "AIC102.PV", -0.1, 40.0 * 3600.0, 160.0 * 3600.0),
        Fault(FaultKind.FREEZE, "AI302.PV", 0.0, 100.0 * 3600.0, 120.0 * 3600.0),
    ),
    informed=Told,
)
DRILL = Drill(
    course=(
        (0.0, {"precursor_feed": 0.001}),
        (40.0, {"feed": 0.042}),
        (110.0, {"feed": 0.045}),
        (190.0, {"feed": 0.037}),
    ),
    states={
        "biomass": (0.5, 20.0),
        "product": (0.0, 2.0),
        "substrate": (0.002, 5.0),
        "dissolved_oxygen": (20.0, 100.0),
        "volume": (90.0, 115.0),
        "precursor": (150.0, 2300.0),
    },
    logs_sd=(0.15, 0.1, 0.15, 0.1, 0.3),
    hours=(4.0, 180.0),
    bounds={"dissolved_oxygen": (20.0, math.inf), "volume": (-math.inf, 120.0), "precursor": (300.0, 2000.0)},
)
FAULTS = {  # sizes are design, of the order at which a person would want to know
    "sensor_drift": Fault(FaultKind.DRIFT, "AIC102.PV", -3.0),  # % of oxygen per hour
    "sensor_bias": Fault(FaultKind.BIAS, "AI302.PV", 2.0),  # g/(L.h) of oxygen uptake
    "sensor_noise": Fault(FaultKind.NOISE, "AIC102.PV", 8.0),  # %
    "sensor_freeze": Fault(FaultKind.FREEZE, "AIC102.PV"),
    "sensor_drop_out": Fault(FaultKind.DROP_OUT, "AIC102.PV", 0.5),
    "bad_status": Fault(FaultKind.BAD, "AI301.PV"),
    "not_a_number": Fault(FaultKind.NAN, "WI101.PV"),
    "pump_under_delivery": Fault(FaultKind.UNDER_DELIVERY, "FIC201", 0.3),
    "stuck_valve": Fault(FaultKind.STUCK_VALVE, "base", 0.002),  # L/h
    "kla_loss": Fault(FaultKind.KLA_LOSS, VESSEL, 0.4),
    "foam": Fault(FaultKind.FOAM, VESSEL, 300.0),  # %/h
    "contamination": Fault(FaultKind.CONTAMINATION, VESSEL, 0.1),  # g/L, a hundredth of the biomass
    "utility_failure": Fault(FaultKind.UTILITY_FAILURE, "power"),
    "wrong_assay": Fault(FaultKind.WRONG_ASSAY, "LAB.BIOMASS", 0.5),
}
STUDY = Study(STREAM, ESTIMATION, DRILL, FAULTS)
