"""Lava processes, alone in this package: compiling a process makes Lava import every module beside it."""
