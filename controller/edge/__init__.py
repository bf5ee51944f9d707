"""The outside world, one module a protocol: the plant, the historian, InfluxDB and the people."""
