"""Lava runs on this Python, and the shim leaves no trace."""

from __future__ import annotations

import subprocess
import sys

LIF = """
import dataclasses
before = dataclasses.dataclass
import controller.neurocore.lava
assert dataclasses.dataclass is before, "the patch outlives the import"

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.lif.process import LIF

if __name__ == "__main__":
    neuron = LIF(shape=(2,), bias_mant=np.array([3, 0]), du=0, dv=0, vth=100)
    neuron.run(condition=RunSteps(num_steps=4), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    print(neuron.v.get().tolist())
    neuron.stop()
"""

FIELDS = """
import controller.neurocore.lava
from lava.magma.compiler.var_model import AxonEncoder, ByteEncoder, ChipEncoder, CoreEncoder
one, other = CoreEncoder(), CoreEncoder()
assert one.x == ByteEncoder() and one.x is not other.x
assert ChipEncoder().z == ByteEncoder() and AxonEncoder().lo == ByteEncoder()
"""


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_lif_process_is_built_and_runs_on_this_python(tmp_path):
    program = tmp_path / "lif.py"
    program.write_text(LIF)
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    first, second = (float(v) for v in done.stdout.strip().strip("[]").split(","))
    assert first > 0
    assert second == 0


def test_the_mended_dataclasses_give_each_instance_a_default_of_its_own():
    run(FIELDS)


def test_importing_the_backends_does_not_import_lava():
    run("import sys, controller.neurocore.core as c; assert 'lava' not in sys.modules")
