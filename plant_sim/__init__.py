"""Plant simulator, a stand-in for the hardware: a vessel with instruments, local loops and an OPC UA server."""
