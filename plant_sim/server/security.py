"""Server security of the simulated plant: policies, certificates, trust and login."""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager
from asyncua.ua.status_codes import StatusCodes
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from plant_sim.server.ownership import Sessions

APPLICATION_URI = "urn:neurotwin:plant:server"
POLICIES = {
    "None": (ua.SecurityPolicyType.NoSecurity,),
    **{
        name: (ua.SecurityPolicyType[f"{name}_Sign"], ua.SecurityPolicyType[f"{name}_SignAndEncrypt"])
        for name in ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
    },
}
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SUFFIXES = frozenset({".der", ".pem", ".crt", ".cer"})


@dataclass(frozen=True, slots=True)
class Security:
    """How the plant protects itself; by default not at all, for it is on the loopback.

    Without paths, certificate and key are own/plant.der and own/plant.pem of `folder`, made when they are missing, and
    the certificates of clients (and of users who log in by one) are trusted when they lie in its trusted/.
    """

    policies: tuple[str, ...] = ("None",)
    folder: Path = Path("plant_certificates")
    certificate: Path | None = None
    key: Path | None = None
    trusted: Path | None = None
    user: str | None = None
    password_file: Path | None = None  # its first line
    user_certificates: bool = False  # let in who owns a trusted certificate

    @property
    def secured(self) -> bool:
        """Whether there is anything but an open line."""
        return self.policies != ("None",)

    def objection(self, endpoint: str) -> str:
        """Why this must not be served, or ""."""
        unknown = [p for p in self.policies if p not in POLICIES]
        if unknown or not self.policies:
            return f"no security policy is called {(unknown or [''])[0]!r}; there are {', '.join(POLICIES)}"
        host = urlsplit(endpoint).hostname or ""
        if "None" in self.policies and host not in LOOPBACK:
            return f"an open line may be offered on this machine only, not at {host!r}: choose another security policy"
        if (self.user is None) != (self.password_file is None):
            return "a user and a password file go together"
        if (self.certificate is None) != (self.key is None):
            return "a certificate and its key go together"
        if self.user_certificates and not self.secured:
            return "a login by certificate needs a security policy that signs"
        return ""


class _Doorman(UserManager):
    """Lets in who knows the password or owns a trusted certificate; everybody, when neither is asked for."""

    def __init__(self, security: Security, trusted: Path) -> None:
        self._user, self._trusted, self._by_certificate = security.user, trusted, security.user_certificates
        lines = security.password_file.read_text(encoding="utf-8").splitlines() if security.password_file else []
        self._password = lines[0].strip() if lines else ""
        if security.password_file and not self._password:
            raise ValueError(f"{security.password_file} holds no password in its first line")

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        """Who this is, or None."""
        known = User(role=UserRole.User, name=username)
        if self._user is None and not self._by_certificate:
            return known
        if username is not None:
            right = username == self._user and hmac.compare_digest((password or "").encode(), self._password.encode())
            return known if right and self._user is not None else None
        return known if self._by_certificate and certificate and _is_trusted(certificate, self._trusted) else None


def server_for(security: Security) -> Server:
    """A server that lets in whom `security` says; ValueError or OSError when its files cannot be used."""
    return Server(iserver=Sessions(user_manager=_Doorman(security, _trusted(security))))


async def protect(server: Server, security: Security, host: str) -> None:
    """Give the server its policies, its certificate and whom it trusts."""
    server.set_security_policy([kind for name in security.policies for kind in POLICIES[name]])
    await server.set_application_uri(APPLICATION_URI)
    tokens: list[type] = [ua.UserNameIdentityToken] if security.user else []
    tokens += [ua.X509IdentityToken] if security.user_certificates else []
    server.set_identity_tokens(tokens or [ua.AnonymousIdentityToken])
    if not security.secured:
        return
    certificate, key = await _own(security, host)
    await server.load_certificate(str(certificate))
    await server.load_private_key(str(key))
    server.set_certificate_validator(_validator(_trusted(security)))


async def _own(security: Security, host: str) -> tuple[Path, Path]:
    """The plant's certificate and key, made if nobody gave any."""
    if security.certificate is not None and security.key is not None:
        return security.certificate, security.key
    own = security.folder / "own"
    own.mkdir(parents=True, exist_ok=True)
    certificate, key = own / "plant.der", own / "plant.pem"
    before = os.umask(0o077)  # the key is for its owner alone, from its first byte on
    try:
        await setup_self_signed_certificate(
            key,
            certificate,
            APPLICATION_URI,
            host,
            [ExtendedKeyUsageOID.SERVER_AUTH],
            {"commonName": "NeuroTwin simulated plant"},
        )
    finally:
        os.umask(before)
    return certificate, key


def _trusted(security: Security) -> Path:
    return security.trusted or security.folder / "trusted"


def _validator(trusted: Path) -> Any:
    """Refuse a client whose certificate is out of date, made out to another, or not in the folder."""
    form = CertificateValidator(CertificateValidatorOptions.EXT_VALIDATION | CertificateValidatorOptions.PEER_CLIENT)

    async def validate(certificate: x509.Certificate, application: ua.ApplicationDescription) -> None:
        await form(certificate, application)
        if not _listed(certificate, trusted):
            raise ServiceError(StatusCodes.BadCertificateUntrusted)

    return validate


def _is_trusted(der: bytes, trusted: Path) -> bool:
    try:
        return _listed(x509.load_der_x509_certificate(der), trusted)
    except ValueError:
        return False


def _listed(certificate: x509.Certificate, trusted: Path) -> bool:
    """Whether the folder holds this certificate now; it is looked at anew each time, so that trust needs no restart."""
    files = [p for p in trusted.glob("*") if p.suffix.lower() in SUFFIXES] if trusted.is_dir() else []
    shown = certificate.fingerprint(hashes.SHA256())
    return any(_read(path).fingerprint(hashes.SHA256()) == shown for path in files)


def _read(path: Path) -> x509.Certificate:
    content = path.read_bytes()
    pem = content.lstrip().startswith(b"-----BEGIN")
    return x509.load_pem_x509_certificate(content) if pem else x509.load_der_x509_certificate(content)
