"""The tables of a configuration file, each a frozen dataclass that refuses unknown keys and wrong values.

The numbers that stand here as defaults are design choices; every one can be set in the file.
"""

from controller.tables.access import AccessTable, ServiceTable
from controller.tables.alarms import AlarmsTable, AlarmTable, NotificationTable
from controller.tables.batch import PhaseTable
from controller.tables.diagnosis import DiagnosisTable
from controller.tables.edge import ConnectionTable, HistorianTable, InfluxTable, SupervisorTable
from controller.tables.loop import EnvelopeTable, GatesTable, InterlockTable, LimitTable, LoopTable, NeuroCoreTable
from controller.tables.model import ModelTable
from controller.tables.plant import BatchTable, PlantTable, VariableTable

TABLES: dict[str, type] = {
    "plant": PlantTable,
    "connection": ConnectionTable,
    "variable": VariableTable,
    "supervisor": SupervisorTable,
    "batch": BatchTable,
    "loop": LoopTable,
    "limits": LimitTable,
    "interlock": InterlockTable,
    "envelope": EnvelopeTable,
    "gates": GatesTable,
    "historian": HistorianTable,
    "influx": InfluxTable,
    "access": AccessTable,
    "gateway": ServiceTable,
    "console": ServiceTable,
    "neurocore": NeuroCoreTable,
    "model": ModelTable,
    "phase": PhaseTable,
    "alarm": AlarmTable,
    "alarms": AlarmsTable,
    "notification": NotificationTable,
    "diagnosis": DiagnosisTable,
}

__all__ = [
    "TABLES",
    "AccessTable",
    "AlarmTable",
    "AlarmsTable",
    "BatchTable",
    "ConnectionTable",
    "DiagnosisTable",
    "EnvelopeTable",
    "GatesTable",
    "HistorianTable",
    "InfluxTable",
    "InterlockTable",
    "LimitTable",
    "LoopTable",
    "ModelTable",
    "NeuroCoreTable",
    "NotificationTable",
    "PhaseTable",
    "PlantTable",
    "ServiceTable",
    "SupervisorTable",
    "VariableTable",
]
