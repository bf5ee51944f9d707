"""A plant that asks who we are is told the user and the password of the file, and a refusal says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.server import Server

from controller.edge.opcua import PlantLink, PlantMismatch
from controller.settings import Settings


class _Door:
    """Lets one user in, and counts who tried."""

    tried = 0

    def get_user(self, iserver: Any, username: str = "", password: str = "", certificate: Any = None) -> User | None:
        self.tried += 1
        return User(role=UserRole.User) if (username, password) == ("operator", "right") else None


def test_the_password_of_the_file_opens_the_plant_and_a_wrong_one_does_not(
    at: Callable[..., Settings], unused_port: int, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"

    async def try_with(password: str) -> None:
        secret.write_text(f"{password}\n", encoding="utf-8")
        link = PlantLink(at(unused_port, user="operator", password_file=secret))
        try:
            await link.connect(30.0)
        finally:
            await link.close()

    door = _Door()

    async def run() -> None:
        server = Server(user_manager=door)
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{unused_port}/neurotwin")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        async with server:
            refused = r"does not let us in \(BadUserAccessDenied\): mend user 'operator' or password_file in \[conn"
            with pytest.raises(PlantMismatch, match=refused):
                await try_with("wrong")
            assert door.tried == 1  # more would lock the account at a real server
            with pytest.raises(PlantMismatch, match="has no namespace"):  # inside: an empty server
                await try_with("right")

    asyncio.run(run())
