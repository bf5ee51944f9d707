"""A client that is not asyncua at the simulated plant: read, write, refusal, subscription and reconnection."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("policy", ["None", "Basic256Sha256"])
def test_a_foreign_client_works_with_the_simulated_plant(
    policy: str, node: str, simulated_plant: Callable[..., Any], tmp_path: Path
) -> None:
    script, home = str(HERE / "client.js"), str(tmp_path / "client")
    secured = () if policy == "None" else ("--security", policy, "--certificates", str(tmp_path / "plant"))
    if secured:
        made = subprocess.run(
            [node, script, "certificate", policy, home],
            capture_output=True,
            text=True,
            cwd=HERE,
            timeout=60,
            check=True,
        )
        (tmp_path / "plant" / "trusted").mkdir(parents=True)
        shown = json.loads(made.stdout.strip().splitlines()[-1])["certificate"]
        shutil.copy(shown, tmp_path / "plant" / "trusted" / "client.pem")
    endpoint, plant = simulated_plant(*secured)
    client = subprocess.Popen(
        [node, script, endpoint, policy, home],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=HERE,
    )
    try:
        assert client.stdout is not None
        assert client.stderr is not None
        first = client.stdout.readline()
        while first and "ready" not in first:  # node-opcua warns on standard output
            first = client.stdout.readline()
        assert first, client.stderr.read()[-3000:]
        plant.kill()
        plant.wait(10)
        simulated_plant(*secured)
        told, complaints = client.communicate(timeout=120)
    finally:
        client.kill()
        client.communicate()
    assert client.returncode == 0, complaints[-3000:]
    found = json.loads(told.strip().splitlines()[-1])
    assert "urn:neurotwin:plant" in found["namespaces"]
    assert found["before"]["status"] == "Good"
    assert {"EURange", "EngineeringUnits"} <= set(found["members"])
    assert (found["write"], found["written"]) == ("Good", 0.04)
    assert found["outOfRange"] == "BadOutOfRange"
    assert found["wrongType"] == "BadTypeMismatch"
    assert found["readOnly"].startswith("Bad")
    assert found["afterRefusals"] == 0.04
    assert found["notified"] >= 2
    assert found["after"]["status"] == "Good"
    assert found["notifiedAfter"] >= 2
