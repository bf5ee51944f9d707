"""The process that runs Lava: commands on standard input, answers on standard output, Lava on the main thread.

`controller.neurocore.backend.LavaBackend` starts it with exec, so no thread or event loop is forked along. It ends when
it is told to stop, or when its standard input closes, which means that nobody is left to serve.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, BinaryIO

from controller.neurocore import loihi, wire
from controller.neurocore.design import Design

if TYPE_CHECKING:
    from types import FrameType

    from controller.neurocore.lava.network import Network

STOP_TIMEOUT_S = 3
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_TAGS = {"lava-fixed": "fixed_pt", "lava-float": "floating_pt"}


def main() -> int:
    """Serve until told to stop; the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; whoever started this decides
    commands, answers = _protected_pipes()
    os.register_at_fork(after_in_child=_orphan_guard(commands.fileno(), answers.fileno()))
    try:
        _serve(commands, answers)
    except EOFError:
        _end_children()
        return 0
    except Exception as error:
        traceback.print_exc()
        _end_children()
        return _last_words(answers, wire.Frame({"ok": False, "error": f"{type(error).__name__}: {error}"}), 1)
    _end_children()
    return _last_words(answers, wire.Frame({"ok": True}), 0)


def _last_words(answers: BinaryIO, frame: wire.Frame, code: int) -> int:
    with contextlib.suppress(EOFError):  # nobody listens any more
        _write(answers, frame)
    return code


def _serve(commands: BinaryIO, answers: BinaryIO) -> None:
    network: Network | None = None
    try:
        while (frame := wire.read(lambda size: _exactly(commands, size))).head["command"] != "stop":
            if frame.head["command"] == "build" and frame.head["backend"] == "loihi2":
                _write(answers, wire.Frame({"ok": False, "error": _why_not_loihi2(frame), "unavailable": True}))
            elif frame.head["command"] == "build":
                _stop(network)
                network = None
                network = _build(frame)
                _write(answers, wire.Frame({"ok": True}))
            elif network is None:
                raise ValueError("the first command builds the network")
            else:
                _write(answers, _answer(network, frame))
    finally:
        _stop(network)


def _build(frame: wire.Frame) -> Network:
    from controller.neurocore.lava import network  # late: Lava forks and prints from here on

    return network.Network(Design(**frame.head["design"]), frame.head["seed"], _TAGS[frame.head["backend"]])


def _why_not_loihi2(frame: wire.Frame) -> str:
    from lava.utils.loihi import is_installed

    return loihi.why_not(Design(**frame.head["design"]), is_installed())


def _answer(network: Network, frame: wire.Frame) -> wire.Frame:
    match frame.head["command"]:
        case "step":
            outputs = network.step(frame.arrays["drive"], frame.arrays["error"])
            return wire.Frame({"ok": True}, {"outputs": outputs})
        case "weights":
            return wire.Frame({"ok": True}, {"weights": network.weights()})
        case "traces":
            return wire.Frame({"ok": True}, network.traces())
        case "restore":
            network.restore(frame.arrays["weights"])
            return wire.Frame({"ok": True})
        case unknown:
            raise ValueError(f"no such command: {unknown}")


def _stop(network: Network | None) -> None:
    """Stop the network, but wait no longer than STOP_TIMEOUT_S: it blocks for good when one of its processes died."""
    if network is None:
        return
    signal.signal(signal.SIGALRM, _raise_timeout)
    signal.alarm(STOP_TIMEOUT_S)
    try:
        network.stop()
    except (TimeoutError, RuntimeError, OSError) as error:
        print(f"the network did not stop by itself: {error}", file=sys.stderr)
    finally:
        signal.alarm(0)


def _raise_timeout(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"no end after {STOP_TIMEOUT_S} s")


def _end_children() -> None:
    for child in multiprocessing.active_children():
        child.terminate()
    for child in multiprocessing.active_children():
        child.join(1)
        if child.is_alive():
            child.kill()
    if sys.modules.get("lava") is not None:  # Lava's shared memory has a tracker process; it ends with this descriptor
        tracker = resource_tracker.getfd()
        if tracker is not None:
            os.close(tracker)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def _protected_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes on descriptors of their own; standard output becomes standard error, so a print harms nothing."""
    commands = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return commands, answers


def _orphan_guard(*pipes: int) -> Callable[[], None]:
    """What a forked child does first: let go of the pipes, and (on Linux) ask to be killed with its parent."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)

    def guard() -> None:
        with open(os.devnull, "rb") as nothing:
            for pipe in pipes:
                os.dup2(nothing.fileno(), pipe)
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return guard


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _write(stream: BinaryIO, frame: wire.Frame) -> None:
    try:
        stream.write(wire.encode(frame))
        stream.flush()
    except BrokenPipeError:
        raise EOFError from None


if __name__ == "__main__":
    exit_code = main()
    sys.stderr.flush()
    os._exit(exit_code)  # Lava's exit hooks would start the tracker again
