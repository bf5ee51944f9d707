"""The worker that runs Lava dies alone, leaves nothing behind, and is missed with a clear sentence."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from controller.neurocore import wire
from controller.neurocore.backend import LavaBackend, NeuroCoreLost, NeuroCoreUnavailable, open_backend
from controller.neurocore.design import Design

DESIGN = Design(units=8, outputs=2)
PAYLOAD, NO_ERROR = np.full(8, 200), np.zeros(2, dtype=int)


def wait_until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def small(**options) -> LavaBackend:
    return LavaBackend(DESIGN, seed=0, **options)


def test_two_cycles_leave_no_process_and_ctrl_c_ends_neither(group):
    for _ in range(2):
        backend = small()
        os.killpg(backend.pid, signal.SIGINT)
        assert backend.step(PAYLOAD, NO_ERROR).tolist() == [0, 0]
        assert len(group(backend.pid)) > 3, "Lava's processes belong to the worker's group"
        backend.close()
        backend.close()
        assert group(backend.pid) == []


def shared_memory(processes) -> set[Path]:
    maps = "".join(Path(f"/proc/{process}/maps").read_text() for process in processes)
    return {Path(name) for name in re.findall(r"/dev/shm/psm_\w+", maps)}


def test_a_killed_worker_raises_and_takes_its_children_and_shared_memory_along(group):
    with small() as backend:
        backend.step(PAYLOAD, NO_ERROR)
        segments = shared_memory(group(backend.pid))
        assert segments
        os.kill(backend.pid, signal.SIGKILL)
        with pytest.raises(NeuroCoreLost, match=rf"process {backend.pid}\) ended by signal 9 at step"):
            backend.step(PAYLOAD, NO_ERROR)
        wait_until(lambda: group(backend.pid) == [])
        wait_until(lambda: not any(segment.exists() for segment in segments))
        with pytest.raises(NeuroCoreLost, match="has ended already"):
            backend.weights()


def test_a_worker_that_hangs_is_given_up_in_time(group):
    with small(step_timeout_s=0.5) as backend:
        os.kill(backend.pid, signal.SIGSTOP)
        with pytest.raises(NeuroCoreLost, match=r"gave no answer to step within 0\.5 s"):
            backend.step(PAYLOAD, NO_ERROR)
        wait_until(lambda: group(backend.pid) == [])


def test_a_failure_inside_the_worker_is_told_and_ends_it(group):
    with small() as backend:
        with pytest.raises(NeuroCoreLost, match="failed at dance: ValueError: no such command"):
            backend._ask(wire.Frame({"command": "dance"}))
        wait_until(lambda: group(backend.pid) == [])


def test_the_worker_and_its_children_end_when_their_owner_is_killed(group):
    program = (
        "import time\nfrom controller.neurocore.backend import LavaBackend\n"
        "from controller.neurocore.design import Design\n"
        "backend = LavaBackend(Design(8, 2), seed=0)\nprint(backend.pid, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as owner:
        line = owner.stdout.readline()
        assert re.fullmatch(r"\d+\n", line), line
        assert group(int(line))
        owner.kill()
    wait_until(lambda: group(int(line)) == [])


def test_an_owner_that_forgets_to_close_still_ends_the_worker(group):
    program = (
        "from controller.neurocore.backend import LavaBackend\nfrom controller.neurocore.design import Design\n"
        "backend = LavaBackend(Design(8, 2), seed=0)\nprint(backend.pid)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert group(int(done.stdout)) == []


def test_an_unknown_backend_names_those_that_exist():
    with pytest.raises(ValueError, match="'loihi3'; there are lava-fixed, lava-float, reference, loihi2"):
        open_backend("loihi3", DESIGN, 0)


def test_loihi2_without_the_extension_says_what_is_missing_and_what_works():
    sentence = r"needs Intel's Lava extension .* not installed here; .* lava-fixed, lava-float and reference work"
    with pytest.raises(NeuroCoreUnavailable, match=sentence):
        open_backend("loihi2", DESIGN, 0)
    assert issubclass(NeuroCoreUnavailable, NeuroCoreLost), "so that whoever expects a lost core expects this"
