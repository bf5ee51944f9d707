"""Two runs that begin at the same time do not choose the same port."""

from __future__ import annotations

import socket
import subprocess
import sys

from controller.demo.child_plant import free_port

CHOOSE = "import sys; from controller.demo.child_plant import free_port; print(free_port(int(sys.argv[1])))"


def chosen_elsewhere(wanted: int) -> int:
    command = [sys.executable, "-c", CHOOSE, str(wanted)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)


def test_a_port_that_another_run_has_chosen_is_not_chosen_again_before_it_listens() -> None:
    wanted = free_port(0)
    assert chosen_elsewhere(wanted) == wanted  # that one has ended
    assert free_port(wanted) == wanted
    assert chosen_elsewhere(wanted) not in (0, wanted)


def test_a_port_at_which_somebody_listens_is_not_chosen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert free_port(server.getsockname()[1]) != server.getsockname()[1]
