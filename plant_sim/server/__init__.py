"""OPC UA server of the simulated plant."""

from plant_sim.server.options import ENDPOINT, START, Options
from plant_sim.server.running import main, serve
from plant_sim.server.space import NAMESPACE

__all__ = ["ENDPOINT", "NAMESPACE", "START", "Options", "main", "serve"]
