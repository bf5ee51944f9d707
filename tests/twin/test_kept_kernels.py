"""Machine code is kept on disk by what it computes: who compiled it first may be gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EQUATIONS = """
from twin.model import Input, Model, Multiplier, Output, Parameter, State

def taken_up(x, p):
    return p.q * x.sugar

def rhs(x, u, p, m):
    return (u.feed - m.uptake * taken_up(x, p),)

def observe(x, u, p, m):
    return (x.sugar,)

def objective(x):
    return x.sugar

MODEL = Model(
    name="sugar", states=(State("sugar", "g/L", 10.0, 1.0, 0.01),), multipliers=(Multiplier("uptake", 0.1, 0.01, 1.0),),
    inputs=(Input("feed", "g/(L.h)", 0.5),), outputs=(Output("sugar", "g/L", 0.1),),
    parameters=(Parameter("q", 0.1, "1/h", "made up"),), rhs=rhs, observe=observe, objective=objective,
    objective_name="sugar", objective_unit="g/L",
)
"""
RUN = "import sys; from importlib import import_module; from twin import integrate; "
RUN += "integrate.warm_up(import_module(sys.argv[1]).MODEL)"


def warmed_up(module: Path, kept: Path) -> set[str]:
    """The kept kernels once another process has run these equations."""
    env = {**os.environ, "NUMBA_CACHE_DIR": str(kept), "PYTHONPATH": os.pathsep.join([*sys.path, str(module.parent)])}
    done = subprocess.run(
        [sys.executable, "-c", RUN, module.stem], env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {str(path) for path in kept.rglob("*.nbc")}


def test_what_a_module_compiled_that_is_gone_serves_another_with_the_same_equations(tmp_path: Path) -> None:
    mine, yours = tmp_path / "a" / "mine.py", tmp_path / "b" / "yours.py"
    for path in (mine, yours):
        path.parent.mkdir()
        path.write_text(EQUATIONS)
    first = warmed_up(mine, tmp_path / "kept")
    assert first
    mine.unlink()
    assert warmed_up(yours, tmp_path / "kept") == first
