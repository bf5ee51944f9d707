"""Beyond this machine nothing is served without users and encryption; users are kept at the command line."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import tomli_w
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from controller.edge.serve import serving
from controller.edge.users import UserRole, Users, token_at
from controller.processes import find
from controller.settings import SettingsError, load
from controller.support.user_error import UserError
from controller.tables import AccessTable, ServiceTable


@pytest.fixture
def config(tmp_path):
    """Writes a configuration with these tables changed, and gives its path."""

    def write(**tables):
        content = find("penicillin").content()
        for name, table in tables.items():
            content[name] = {**content.get(name, {}), **table}
        path = tmp_path / "reactor.toml"
        path.write_text(tomli_w.dumps(content))
        return path

    return write


def certificate(folder):
    """A self-signed certificate and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "reactor")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    paths = folder / "own.pem", folder / "own.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    return paths


@pytest.mark.parametrize("table", ["gateway", "console"])
def test_an_open_line_to_other_machines_is_refused(config, table):
    with pytest.raises(SettingsError, match="without encryption; give tls_certificate"):
        load(config(**{table: {"host": "0.0.0.0"}, "access": {"users": "users.json"}}))


def test_behind_a_proxy_it_may_be_reached_if_people_sign_in(config):
    with pytest.raises(SettingsError, match="nobody has to sign in; add a table \\[access\\]"):
        load(config(console={"host": "0.0.0.0", "behind_proxy": True}))
    settings = load(config(console={"host": "0.0.0.0", "behind_proxy": True}, access={"users": "users.json"}))
    assert settings.access.users.is_absolute()


def test_a_key_that_is_not_there_is_told_with_its_name(config):
    with pytest.raises(SettingsError, match=r"tls_certificate '.*own.pem' does not exist"):
        load(config(gateway={"tls_certificate": "own.pem", "tls_key": "own.key"}))


def test_a_gateway_whose_users_nobody_added_does_not_start(bench, tmp_path):
    async def start():
        async with serving(bench, "127.0.0.1", 1, access=AccessTable(users=tmp_path / "users.json")):
            pass

    with pytest.raises(UserError, match="knows no user yet; add one: neurotwin users add"):
        asyncio.run(start())


def test_a_port_that_is_taken_is_told_in_one_sentence(bench):
    async def start(port):
        async with serving(bench, "127.0.0.1", port):
            pass

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            UserError, match=rf"cannot listen at 127.0.0.1:{port} \(address already in use\); end what is"
        ):
            asyncio.run(start(port))


def test_over_tls_the_gateway_answers_who_has_signed_in(bench, tmp_path):
    chain, key = certificate(tmp_path)
    users = Users(tmp_path / "users.json")
    password = users.add("omar", UserRole.OPERATOR)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    trusted = ssl.create_default_context(cafile=str(chain))
    trusted.check_hostname = False

    async def walk():
        at = ServiceTable(host="127.0.0.1", port=port, tls_certificate=chain, tls_key=key)
        async with serving(bench, at.host, at.port, at, AccessTable(users=users.path)):
            async with httpx.AsyncClient(base_url=f"{at.url}/api/v1", verify=trusted, trust_env=False) as client:
                for _ in range(100):
                    try:
                        refused = await client.get("/state")
                        break
                    except httpx.ConnectError:
                        await asyncio.sleep(0.1)
                told = await client.post("/session", json={"name": "omar", "password": password})
                bearer = {"Authorization": f"Bearer {told.json()['token']}"}
                return refused.status_code, (await client.get("/state", headers=bearer)).status_code

    assert asyncio.run(walk()) == (401, 200)


def neurotwin(*arguments):
    command = [sys.executable, "-m", "controller.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_users_are_added_listed_and_removed_and_a_password_is_shown_once(config):
    path = config(access={"users": "users.json"})
    added = neurotwin("users", "add", path, "Ada Keller", "--role", "engineer")
    assert added.returncode == 0, added.stderr
    password = added.stdout.strip().splitlines()[-1]
    assert Users(path.with_name("users.json")).verify("Ada Keller", password).role is UserRole.ENGINEER
    listed = neurotwin("users", "list", path, "--json")
    assert '"Ada Keller"' in listed.stdout and password not in listed.stdout
    assert neurotwin("users", "remove", path, "Ada Keller").returncode == 0
    gone = neurotwin("users", "remove", path, "Ada Keller")
    assert (gone.returncode, "knows no user" in gone.stderr) == (2, True)


def test_without_the_table_the_mend_is_told(config):
    told = neurotwin("users", "add", config(), "ada")
    assert told.returncode == 2
    assert "has no table [access]; add it" in told.stderr


def test_the_token_of_programs_is_private_and_stays_the_same(tmp_path: Path):
    path = tmp_path / "gateway.token"
    assert token_at(path) == token_at(path)
    assert path.stat().st_mode & 0o077 == 0


def test_a_console_on_an_open_address_is_one_sentence_and_exit_code_2():
    command = [sys.executable, "-m", "hmi.console", "--gateway", "http://127.0.0.1:1", "--host", "0.0.0.0"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert told.returncode == 2
    assert "give a certificate and its key" in told.stderr
