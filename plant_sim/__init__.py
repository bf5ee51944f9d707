"""A stand-in for the hardware: a simulated vessel with instruments, local loops and an OPC UA server."""
