"""Who is let in to the simulated plant, and who is not."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from asyncua import Client, ua
from asyncua.crypto import security_policies

from controller.edge.opcua.certificates import Store, alternative_names
from controller.processes.penicillin.plant import DESIGN as PENICILLIN
from plant_sim.server import Options, serve
from plant_sim.server.security import Security

NAMES = ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Store:
    """A client's certificate, and the plant's folder that trusts it."""
    folder = tmp_path_factory.mktemp("certificates")
    store = Store(folder / "client")
    own = store.create()
    (folder / "plant" / "trusted").mkdir(parents=True)
    shutil.copy(own.path, folder / "plant" / "trusted" / "client.der")
    return store


def served(endpoint: str, security: Security, scenario) -> None:
    async def main() -> None:
        ready = asyncio.Event()
        task = asyncio.create_task(serve(Options(PENICILLIN, endpoint=endpoint, security=security), ready))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
        waiting.cancel()
        if task.done():
            task.result()
        try:
            await scenario()
        finally:
            task.cancel()
            await asyncio.wait({task})

    asyncio.run(main())


async def client_of(endpoint: str, store: Store, policy: str, mode: str, **login: str) -> Client:
    client = Client(endpoint, timeout=10)
    client.application_uri = alternative_names(store.own().certificate)[0]
    kind = getattr(security_policies, f"SecurityPolicy{policy}")
    await client.set_security(kind, store.own_certificate, store.own_key, mode=ua.MessageSecurityMode[mode])
    if login:
        client.set_user(login["user"])
        client.set_password(login["password"])
    return client


def folder_of(store: Store) -> Path:
    return store.folder.parent / "plant"


@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
@pytest.mark.parametrize("policy", NAMES)
def test_a_trusted_client_reads_and_writes_over_each_policy(endpoint, certificates, policy, mode):
    async def scenario():
        async with await client_of(endpoint, certificates, policy, mode) as client:
            index = await client.get_namespace_index("urn:neurotwin:plant")
            node = client.get_node(ua.NodeId("FIC202.SP", index))
            await node.write_value(0.001, ua.VariantType.Double)
            assert await node.read_value() == 0.001

    served(endpoint, Security(policies=(policy,), folder=folder_of(certificates)), scenario)


def test_a_client_that_is_not_trusted_is_refused_until_it_is(endpoint, certificates, tmp_path):
    stranger = Store(tmp_path / "stranger")
    own = stranger.create()
    folder = tmp_path / "plant"

    async def scenario():
        with pytest.raises(ua.UaError):
            async with await client_of(endpoint, stranger, "Basic256Sha256", "SignAndEncrypt"):
                pass
        (folder / "trusted").mkdir()
        shutil.copy(own.path, folder / "trusted")
        async with await client_of(endpoint, stranger, "Basic256Sha256", "SignAndEncrypt") as client:
            assert await client.get_namespace_index("urn:neurotwin:plant")

    served(endpoint, Security(policies=("Basic256Sha256",), folder=folder), scenario)
    assert (folder / "own" / "plant.pem").stat().st_mode & 0o077 == 0


def test_only_who_knows_the_password_may_log_in(endpoint, certificates, tmp_path):
    (tmp_path / "password").write_text("correct horse\n")

    async def scenario():
        right = {"user": "controller", "password": "correct horse"}
        for login in ({}, right | {"password": "wrong"}, right | {"user": "somebody"}):
            with pytest.raises(ua.UaError):
                async with await client_of(endpoint, certificates, "Basic256Sha256", "SignAndEncrypt", **login):
                    pass
        async with await client_of(endpoint, certificates, "Basic256Sha256", "SignAndEncrypt", **right) as client:
            assert await client.get_namespace_index("urn:neurotwin:plant")

    login = {"user": "controller", "password_file": tmp_path / "password"}
    served(endpoint, Security(policies=("Basic256Sha256",), folder=folder_of(certificates), **login), scenario)


@pytest.mark.parametrize(
    ("endpoint", "security", "sentence"),
    [
        ("opc.tcp://0.0.0.0:4840/x", Security(), "an open line may be offered on this machine only"),
        ("opc.tcp://127.0.0.1:4840/x", Security(policies=("Rot13",)), "no security policy is called 'Rot13'"),
        ("opc.tcp://127.0.0.1:4840/x", Security(user="me"), "a user and a password file go together"),
        ("opc.tcp://127.0.0.1:4840/x", Security(user_certificates=True), "needs a security policy that signs"),
    ],
)
def test_what_protects_nobody_is_refused_in_one_sentence(endpoint, security, sentence):
    with pytest.raises(ValueError, match=sentence):
        asyncio.run(serve(Options(PENICILLIN, endpoint=endpoint, security=security)))
