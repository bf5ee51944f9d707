"""OPC UA: one plant, its tags, its scans and its setpoints. The only part of the controller that imports asyncua."""

from controller.edge.opcua.connection import LinkEvent, TagReport
from controller.edge.opcua.guard import Outcome, WriteOutcome
from controller.edge.opcua.link import PlantLink
from controller.edge.opcua.scanning import Scan
from controller.edge.opcua.tags import PlantLost, PlantMismatch

__all__ = ["LinkEvent", "Outcome", "PlantLink", "PlantLost", "PlantMismatch", "Scan", "TagReport", "WriteOutcome"]
