"""A simulated plant as a child process with a configuration of its own: what demo, benches and soak begin with."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import tomli_w

from controller.processes import Process
from controller.settings import Settings, load
from controller.support.child_process import end, spawn

_RESERVED: list[int] = []  # open files whose locks keep our ports until this process ends
READY_WITHIN_S = 180.0  # a first start compiles the models, and the machine may be busy


@contextlib.contextmanager
def plant_in_lockstep(folder: Path, process: Process, seed: int = 7) -> Iterator[Settings]:
    """The settings of a simulated plant that waits to be advanced, for as long as the block runs."""
    config = configure(process, folder, lockstep=True, anywhere=True)
    child = start_plant(config, folder, None, seed, None)
    try:
        await_line(child, "plant ready")
        yield load(config)
    finally:
        end(child)
        if child.stdout is not None:
            child.stdout.close()


def configure(
    process: Process, folder: Path, lockstep: bool, backend: str | None = None, anywhere: bool = False
) -> Path:
    """Write the configuration of this run: the shipped one with free ports and its own historian.

    The ports that people know are taken where they are free, but not `anywhere`: several runs may begin at once.
    """
    wanted = (0, 0, 0) if anywhere else (4840, 8420, 8421)
    plant, gateway, console = (free_port(port) for port in wanted)
    content = process.content()
    content["connection"] |= {"endpoint": f"opc.tcp://127.0.0.1:{plant}/neurotwin", "lockstep": lockstep}
    content["historian"] = {"path": str(folder / "historian.sqlite")}
    content["gateway"] = {"host": "127.0.0.1", "port": gateway}
    content["console"] = {"host": "127.0.0.1", "port": console}
    if backend is not None:
        content["neurocore"]["backend"] = backend
    path = folder / f"{process.name}.toml"
    path.write_text(tomli_w.dumps(content))
    return path


def free_port(wanted: int) -> int:
    """The wanted port when it is free and no other run has spoken for it, or any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port == 0 or _spoken_for(port):
                return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def _spoken_for(port: int) -> bool:
    """Reserve a port until this process ends; False when another one did: who will listen there only starts later."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    with contextlib.suppress(OSError):
        file = os.open(Path(tempfile.gettempdir()) / f"neurotwin-port-{port}.lock", flags, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return False
        _RESERVED.append(file)
        return True
    return False


def start_plant(
    config: Path, folder: Path, speed: float | None, seed: int, truth: Path | None, faults: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start the simulated plant; `speed` None is lockstep. It ends with this process."""
    pace = "max" if speed is None else str(speed)
    options = ["--speed", pace, "--seed", str(seed), "--checkpoint", str(folder / "plant.checkpoint")]
    if truth is not None:
        options += ["--truth", str(truth)]
    if faults is not None:
        options += ["--faults", str(faults)]
    return spawn(["plant", str(config), *options], stdout=subprocess.PIPE)


def await_line(child: subprocess.Popen[bytes], word: str) -> None:
    """Wait until the child prints a line with this word; its later output is passed on to standard error."""
    if child.stdout is None:
        raise ValueError("the child's standard output is not a pipe")
    seen = threading.Event()

    def drain() -> None:
        for line in child.stdout or ():
            if word.encode() in line:
                seen.set()
            else:
                sys.stderr.buffer.write(line)

    threading.Thread(target=drain, daemon=True, name="plant output").start()
    deadline = time.monotonic() + READY_WITHIN_S
    while not seen.wait(0.1):
        if child.poll() is not None:
            raise SystemExit(f"neurotwin: the simulated plant ended with code {child.returncode} before it was ready")
        if time.monotonic() > deadline:
            raise SystemExit(f"neurotwin: the simulated plant was not ready within {READY_WITHIN_S:g} s")
