"""Server start, `python -m plant_sim.server`: the plant as a process of its own."""

from __future__ import annotations

import sys

from plant_sim.server.running import main

if __name__ == "__main__":
    sys.exit(main())
