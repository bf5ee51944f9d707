"""The embedded historian: one SQLite file that one process writes and many read, with the queue for InfluxDB in it."""

from controller.edge.historian.database import HistorianFault
from controller.edge.historian.history import Event, History
from controller.edge.historian.ledger import Cause, Gap
from controller.edge.historian.trends import Bucket
from controller.edge.historian.writer import Historian

__all__ = ["Bucket", "Cause", "Event", "Gap", "Historian", "HistorianFault", "History"]
