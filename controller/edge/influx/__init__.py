"""InfluxDB: what the historian has queued goes there, in order and at least once."""

from controller.edge.influx.forwarder import Forwarder, State

__all__ = ["Forwarder", "State"]
