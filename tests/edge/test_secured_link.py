"""A secured plant is believed only when its certificate is trusted, under every policy, and we prove who we are."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.server import Server
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from controller.cli import app
from controller.edge.opcua import PlantLink, PlantLost, PlantMismatch
from controller.edge.opcua.certificates import Store, StoredCertificate, read, thumbprint, untrusted
from controller.processes import find
from controller.settings import Settings

SERVER_URI = "urn:test:plant"
NOW = datetime.now(UTC)
POLICIES = ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(
    uri: str = SERVER_URI,
    host: str = "localhost",
    days: tuple[int, int] = (-1, 30),
    issuer: tuple[x509.Certificate, rsa.RSAPrivateKey] | None = None,
    authority: bool = False,
    name: str = "test plant",
    key: rsa.RSAPrivateKey = KEY,
) -> x509.Certificate:
    """A certificate for KEY, self-signed or issued."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.UniformResourceIdentifier(uri), x509.DNSName(host)]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName(names), False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), True)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )


def write_pair(folder: Path, shown: x509.Certificate) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "server.der").write_bytes(shown.public_bytes(serialization.Encoding.DER))
    plain = serialization.NoEncryption()
    (folder / "server.pem").write_bytes(
        KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return folder / "server.der", folder / "server.pem"


class Door:
    """Knows one operator by password, and one by certificate."""

    def __init__(self, operator: bytes = b"") -> None:
        self.operator = operator

    def get_user(self, iserver: Any, username: str = "", password: str = "", certificate: Any = None) -> User | None:
        by_certificate = certificate is not None and certificate == self.operator
        allowed = by_certificate or (username, password) == ("operator", "right")
        return User(role=UserRole.User) if allowed else None


@asynccontextmanager
async def secured(port: int, folder: Path, shown: x509.Certificate, door: Door | None = None) -> AsyncIterator[None]:
    """An empty plant behind every policy and mode; `door` decides who comes in, else anybody."""
    server = Server(user_manager=door)
    await server.init()
    await server.set_application_uri(SERVER_URI)
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/neurotwin")
    modes = ("Sign", "SignAndEncrypt")
    server.set_security_policy([ua.SecurityPolicyType[f"{p}_{m}"] for p in POLICIES for m in modes])
    own, key = write_pair(folder, shown)
    await server.load_certificate(str(own))
    await server.load_private_key(str(key))
    if door is not None:
        server.set_identity_tokens([ua.UserNameIdentityToken, ua.X509IdentityToken])
    async with server:
        yield


async def attempt(settings: Settings) -> str:
    """What connecting comes to: an empty server that was let in to lacks the namespace."""
    link = PlantLink(settings)
    try:
        await link.connect(0.0)
    except (PlantLost, PlantMismatch) as fault:
        return str(fault)
    finally:
        await link.close()
    return "connected"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "certificates")
    made.create()
    return made


INSIDE = "has no namespace"  # only a session can know that


def test_every_policy_and_mode_reaches_a_trusted_server(
    at: Callable[..., Settings], unused_port: int, tmp_path: Path, store: Store
) -> None:
    async def run() -> None:
        shown = certificate()
        async with secured(unused_port, tmp_path / "server", shown):
            store.trust(str(tmp_path / "server" / "server.der"))
            for policy in POLICIES:
                for mode in ("Sign", "SignAndEncrypt"):
                    found = await attempt(
                        at(unused_port, security=policy, security_mode=mode, certificates=store.folder, timeout_s=5.0)
                    )
                    assert INSIDE in found, (policy, mode, found)
            refused = await attempt(at(unused_port))
            assert "BadSecurityPolicyRejected" in refused or "BadSecurity" in refused or "No matching" in refused

    asyncio.run(run())


def test_an_untrusted_server_is_refused_with_its_thumbprint_and_trusted_by_the_command_that_is_named(
    at: Callable[..., Settings], unused_port: int, tmp_path: Path
) -> None:
    config = tmp_path / "reactor.toml"
    config.write_text(tomli_w.dumps(find("penicillin").content()))
    run_cli = CliRunner().invoke
    made = run_cli(app, ["certs", "create", str(config)])
    assert made.exit_code == 0, made.output
    settings = at(unused_port, security="Basic256Sha256", certificates=tmp_path / "certificates", timeout_s=5.0)
    shown = certificate()
    print_ = thumbprint(shown)

    async def run() -> None:
        async with secured(unused_port, tmp_path / "server", shown):
            refused = await attempt(settings)
            assert f"shows the certificate {print_}, which is not trusted" in refused
            assert f"`neurotwin certs trust CONFIG {print_}`" in refused
            assert refused.count(". ") == 0
            listed = run_cli(app, ["certs", "list", str(config), "--json"]).output
            assert '"place": "rejected"' in listed
            assert print_ in listed
            assert run_cli(app, ["certs", "trust", str(config), print_[:10].lower()]).exit_code == 0
            assert INSIDE in await attempt(settings)
            assert run_cli(app, ["certs", "reject", str(config), print_]).exit_code == 0
            assert "which is not trusted" in await attempt(settings)

    asyncio.run(run())


def test_a_missing_certificate_of_our_own_and_a_policy_not_offered_are_told(
    at: Callable[..., Settings], unused_port: int, tmp_path: Path
) -> None:
    async def run() -> None:
        without = at(unused_port, security="Basic256Sha256", certificates=tmp_path / "none")
        assert "make it with `neurotwin certs create CONFIG`" in await attempt(without)
        Store(tmp_path / "some").create()
        server = Server()
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{unused_port}/neurotwin")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        async with server:
            found = await attempt(at(unused_port, security="Basic256Sha256", certificates=tmp_path / "some"))
        assert "does not offer Basic256Sha256 with SignAndEncrypt but None/None: mend security" in found

    asyncio.run(run())


def test_a_password_and_a_certificate_each_open_the_plant_and_wrong_ones_do_not(
    at: Callable[..., Settings], unused_port: int, tmp_path: Path, store: Store
) -> None:
    secret = tmp_path / "secret"
    operator = Store(tmp_path / "operator")
    stranger = Store(tmp_path / "stranger")
    known = operator.create().certificate.public_bytes(serialization.Encoding.DER)
    stranger.create()

    def told(password: str) -> Settings:
        secret.write_text(f"{password}\n")
        return at(unused_port, user="operator", password_file=secret, **common)

    def by(who: Store) -> Settings:
        return at(unused_port, user_certificate=who.own_certificate, user_key=who.own_key, **common)

    common = {"security": "Basic256Sha256", "certificates": store.folder, "timeout_s": 5.0}

    async def run() -> None:
        async with secured(unused_port, tmp_path / "server", certificate(), Door(known)):
            store.trust(str(tmp_path / "server" / "server.der"))
            assert INSIDE in await attempt(told("right"))
            assert "BadUserAccessDenied" in await attempt(told("wrong"))
            assert INSIDE in await attempt(by(operator))
            assert "BadUserAccessDenied" in await attempt(by(stranger))

    asyncio.run(run())


def test_a_password_never_goes_over_an_open_line_elsewhere(at: Callable[..., Settings], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    known = at(4840, user="operator", password_file=secret).connection
    with pytest.raises(ValueError, match="a password would go to 'plant' over an open line; set security"):
        replace(known, endpoint="opc.tcp://plant:4840")


def test_a_certificate_is_believed_for_what_it_says_and_no_more(tmp_path: Path) -> None:
    store = Store(tmp_path)
    authority_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    authority = certificate(uri="urn:authority", authority=True, name="authority", key=authority_key)
    leaf = certificate(issuer=(authority, authority_key))
    pretender = certificate(issuer=(authority, KEY))  # names the authority, and was not signed by it

    def judged(shown: x509.Certificate, host: str = "localhost", uri: str = SERVER_URI) -> str:
        return untrusted(store, shown, uri, host, NOW)

    assert judged(leaf) == "it is not trusted"
    path = tmp_path / "authority.pem"
    path.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    store.trust(str(path))
    assert judged(leaf) == ""
    assert judged(pretender) == "it is not trusted"
    assert "and not to 'elsewhere'" in judged(leaf, host="elsewhere")
    assert "calls itself 'urn:other'" in judged(leaf, uri="urn:other")
    assert "only" in judged(certificate(days=(-9, -2), issuer=(authority, authority_key)))
    assert "only" in judged(certificate(days=(2, 9), issuer=(authority, authority_key)))
    plain = certificate(name="no authority")
    under = certificate(issuer=(plain, KEY), name="below")
    (tmp_path / "plain.der").write_bytes(plain.public_bytes(serialization.Encoding.DER))
    store.trust(str(tmp_path / "plain.der"))
    assert judged(under) == "it is not trusted"  # only an authority can vouch


def test_our_key_is_for_our_eyes_and_is_not_replaced_by_accident(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first: StoredCertificate = store.create(hosts=("10.0.0.7", "controller.plant"))
    assert stat.S_IMODE(store.own_key.stat().st_mode) == 0o600
    names = read(store.own_certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "controller.plant" in names.get_values_for_type(x509.DNSName)
    assert str(names.get_values_for_type(x509.IPAddress)[0]) == "10.0.0.7"
    with pytest.raises(Exception, match="give --renew to replace it"):
        store.create()
    assert store.create(renew=True).thumbprint != first.thumbprint
    with pytest.raises(Exception, match=r"no certificate in .*rejected begins with 'ABC'"):
        store.trust("ABC")
    with pytest.raises(Exception, match="cannot be read as a certificate"):
        read(store.own_key)
