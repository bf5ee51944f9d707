"""InfluxDB: what the historian has queued goes there, in order and at least once."""

from controller.edge.influx.forwarder import Forwarder, ForwarderState

__all__ = ["Forwarder", "ForwarderState"]
