"""The edge: everything outside of the loop, one folder a protocol: plant, historian, InfluxDB and gateway."""
