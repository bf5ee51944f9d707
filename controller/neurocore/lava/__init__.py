"""The spiking network on Intel's Lava: the only package that imports `lava`, and only in a process of its own."""

from __future__ import annotations

from controller.neurocore.lava.compatibility import load_lava

load_lava()  # before any other module here imports lava
