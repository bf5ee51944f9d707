"""What learns: a Backend takes one payload and one error a scan; `open_backend` finds it by name.

`lava-fixed` is the network on Lava, in a worker process of its own, and `lava-float` the same in floating point;
`reference` is the bit-identical simulator of `lava-fixed`. `loihi2` says what the chip would need that is not there.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import IO, Any, Protocol, Self

from numpy.typing import NDArray

from controller.neurocore import wire
from controller.neurocore.design import Design
from controller.neurocore.reference import ReferenceBackend
from controller.support.user_error import UserError

WORKER = "controller.neurocore.lava.worker"
BUILD_TIMEOUT_S = 60.0  # imports Lava and compiles the network; 2-3 s on an idle machine
STEP_TIMEOUT_S = 20.0  # a scan takes about 10 ms
STOP_TIMEOUT_S = 5.0
GROUP_TIMEOUT_S = 1.0

BACKENDS = ("lava-fixed", "lava-float", "reference", "loihi2")

Numbers = NDArray[Any]  # integers, except what lava-float gives


class NeuroCoreLost(UserError):
    """The learner's process is gone or no longer answers; what it had learned is in the last snapshot."""


class NeuroCoreUnavailable(NeuroCoreLost):
    """What this backend runs on is not here; the message names what is missing and what still works."""


class Backend(Protocol):
    """A population and one linear read-out per output, with weights that follow the error."""

    @property
    def name(self) -> str:
        """As in `open_backend`."""
        ...

    @property
    def design(self) -> Design:
        """Which network it is."""
        ...

    def step(self, payload: Numbers, error: Numbers) -> Numbers:
        """Learn from `error` (-127..127) on the PREVIOUS payload, then send this one (0..254): the read-outs.

        A read-out is floor(sum(weight * payload) / 64); with coding "lif" it is about that, as payloads are then
        counts of spikes. Zero error: nothing is learned.
        """
        ...

    def weights(self) -> Numbers:
        """The weights, (outputs, units), each in -256..255; lava-float has no bounds."""
        ...

    def traces(self) -> dict[str, Numbers]:
        """The rest of the state: x1 of each unit, and by design y1 and owed of each output, v of each unit."""
        ...

    def restore(self, weights: Numbers) -> None:
        """Take these weights, rounded and within bounds, and go on; traces and random streams stay as they are."""
        ...

    def state(self) -> object:
        """What the network is at this instant: for `resume` of a backend of the same kind."""
        ...

    def resume(self, state: object) -> None:
        """Be as `state` says; NeuroCoreLost where that cannot be had back."""
        ...

    def close(self) -> None:
        """Free what the backend holds; a second call does nothing."""
        ...


def open_backend(name: str, design: Design, seed: int) -> Backend:
    """The backend of that name with this network; ValueError says which exist."""
    if name not in BACKENDS:
        raise ValueError(f"no NeuroCore backend is called {name!r}; there are {', '.join(BACKENDS)}")
    if name == "reference":
        return ReferenceBackend(design, seed)
    return LavaBackend(design, seed, name)


@dataclass(frozen=True, slots=True)
class InWorker:
    """A state that only a worker process holds: which one, and after how many scans."""

    worker: int
    scans: int


class LavaBackend:
    """The client of the worker that runs Lava; every wait has an end, and a lost worker raises NeuroCoreLost."""

    def __init__(
        self, design: Design, seed: int, name: str = "lava-fixed", step_timeout_s: float = STEP_TIMEOUT_S
    ) -> None:
        self.name = name
        self.design = design
        self._step_timeout_s = step_timeout_s
        self._errors: IO[bytes] = tempfile.TemporaryFile()
        self._worker = subprocess.Popen(
            [sys.executable, "-m", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            process_group=0,  # so that Lava's own processes can be ended with it
        )
        _open_backends.add(self)
        try:
            self.rebuild(design, seed)
        except BaseException:
            self._bury()
            raise

    def rebuild(self, design: Design, seed: int) -> None:
        """Begin anew with this network, in the same worker."""
        self.design, self._scans = design, 0
        head = {"command": "build", "backend": self.name, "design": asdict(design), "seed": seed}
        self._ask(wire.Frame(head), BUILD_TIMEOUT_S)

    @property
    def pid(self) -> int:
        """The worker's process id, which is also its group's."""
        return self._worker.pid

    def step(self, payload: Numbers, error: Numbers) -> Numbers:
        """Learn from `error` on the previous payload, then send this one; the read-outs."""
        payload, error = self.design.checked(payload, error)
        self._scans += 1
        frame = wire.Frame({"command": "step"}, {"drive": self.design.drive(payload), "error": error})
        return self._ask(frame).arrays["outputs"]

    def weights(self) -> Numbers:
        """The weights, (outputs, units)."""
        return self._ask(wire.Frame({"command": "weights"})).arrays["weights"]

    def traces(self) -> dict[str, Numbers]:
        """The rest of the state."""
        return dict(self._ask(wire.Frame({"command": "traces"})).arrays)

    def restore(self, weights: Numbers) -> None:
        """Take these weights and go on."""
        self._ask(wire.Frame({"command": "restore"}, {"weights": self.design.fitting(weights)}))

    def state(self) -> InWorker:
        """Where the worker stands: Lava's random streams cannot be read, so the state itself stays there."""
        return InWorker(self._worker.pid, self._scans)

    def resume(self, state: object) -> None:
        """Go on; NeuroCoreLost when the worker stands elsewhere, since Lava cannot be put back."""
        if state != self.state():
            raise NeuroCoreLost(
                f"Lava cannot go back to another scan (it stands at {self.state()}, asked was {state});"
                " take that turn again with the reference backend"
            )

    def close(self) -> None:
        """Stop the worker; end its whole group when that takes longer than STOP_TIMEOUT_S."""
        if self._errors.closed:
            return
        if self._worker.poll() is None:
            with contextlib.suppress(NeuroCoreLost):
                self._ask(wire.Frame({"command": "stop"}), STOP_TIMEOUT_S)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._worker.wait(STOP_TIMEOUT_S)
        self._bury()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _bury(self) -> None:
        if self._worker.poll() != 0:  # 0: it has ended its children itself, and the group's number may be another's
            self._worker.kill()
            self._worker.wait()
            _end_group(self._worker.pid)
        for stream in (self._worker.stdin, self._worker.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        _open_backends.discard(self)

    def _ask(self, frame: wire.Frame, timeout_s: float | None = None) -> wire.Frame:
        """Send a command and wait for its answer; after any failure the pipes cannot be trusted and the worker ends."""
        if self._errors.closed:
            raise NeuroCoreLost(f"NeuroCore's worker (process {self.pid}) has ended already.")
        timeout_s = self._step_timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + timeout_s
        try:
            self._send(wire.encode(frame), deadline)
            answer = wire.read(lambda size: self._receive(size, deadline))
        except (OSError, EOFError, wire.BrokenFrame, ValueError) as error:
            obituary = self._obituary(frame.head["command"], timeout_s, error)
            self._bury()
            raise NeuroCoreLost(obituary) from error
        if not answer.head["ok"]:
            self._bury()
            if answer.head.get("unavailable"):
                raise NeuroCoreUnavailable(answer.head["error"])
            raise NeuroCoreLost(f"NeuroCore's worker failed at {frame.head['command']}: {answer.head['error']}.")
        return answer

    def _send(self, data: bytes, deadline: float) -> None:
        pipe = _pipe(self._worker.stdin)
        view = memoryview(data)
        while view:
            _wait(pipe, select.POLLOUT, deadline)
            view = view[os.write(pipe, view[: select.PIPE_BUF]) :]  # a ready pipe takes PIPE_BUF bytes at once

    def _receive(self, size: int, deadline: float) -> bytes:
        pipe = _pipe(self._worker.stdout)
        data = bytearray()
        while len(data) < size:
            _wait(pipe, select.POLLIN, deadline)
            part = os.read(pipe, size - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def _obituary(self, command: str, timeout_s: float, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"NeuroCore's worker (process {self.pid}) gave no answer to {command} within {timeout_s:g} s."
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._worker.wait(1)
        code = self._worker.returncode
        ended = "is gone" if code is None else f"ended by signal {-code}" if code < 0 else f"ended with {code}"
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().rsplit("\n", 1)[-1]
        return f"NeuroCore's worker (process {self.pid}) {ended} at {command}" + (f": {last}" if last else ".")


def _end_group(leader: int) -> None:
    """End what is left of a killed worker's group, after a while in which its shared memory is freed by its tracker."""
    deadline = time.monotonic() + GROUP_TIMEOUT_S
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < deadline:
            os.killpg(leader, 0)
            time.sleep(0.02)
        os.killpg(leader, signal.SIGKILL)


def _pipe(stream: IO[bytes] | None) -> int:
    if stream is None or stream.closed:
        raise EOFError
    return stream.fileno()


def _wait(pipe: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(pipe, event)
    if not poll.poll(1000 * max(0.0, deadline - time.monotonic())):
        raise TimeoutError


_open_backends: weakref.WeakSet[LavaBackend] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for backend in list(_open_backends):
        backend.close()
