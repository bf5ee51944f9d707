"""Certificates for OPC UA in one folder: our own, those we trust, and those we met and did not trust.

    own/controller.der, own/controller.pem    what we show, and its key (readable by its owner only)
    trusted/                                  servers, and authorities whose servers are believed; .der, .pem or .crt
    rejected/                                 servers that were met and not trusted, kept so that a person can judge

A thumbprint is the SHA-1 of the whole certificate, as OPC UA (Part 6, 6.2.2) and the tools of the field show it.
Revocation lists are not read: to withdraw trust, remove the certificate with `neurotwin certs reject`.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controller.support.user_error import UserError

KEY_BITS = 2048  # what all three policies accept (Part 7)
VALID_DAYS = 5 * 365  # design: a plant is not stopped every year for a certificate
CLOCK_SLACK = timedelta(hours=1)  # a new certificate is valid at a machine whose clock is behind
SUFFIXES = (".der", ".pem", ".crt", ".cer")


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """One certificate file."""

    path: Path
    certificate: x509.Certificate

    @property
    def thumbprint(self) -> str:
        """SHA-1 of the certificate, in capital hex."""
        return thumbprint(self.certificate)


@dataclass(frozen=True, slots=True)
class Store:
    """The certificate folder of one configuration; nothing is made before it is needed."""

    folder: Path

    @property
    def own_certificate(self) -> Path:
        """What we show to the server."""
        return self.folder / "own" / "controller.der"

    @property
    def own_key(self) -> Path:
        """The private key that belongs to it."""
        return self.folder / "own" / "controller.pem"

    def create(self, hosts: tuple[str, ...] = (), days: int = VALID_DAYS, renew: bool = False) -> StoredCertificate:
        """A new key and self-signed certificate for this machine; UserError where one stands and may not be renewed."""
        if self.own_certificate.exists() and not renew:
            raise UserError(
                f"{self.own_certificate} exists already; give --renew to replace it, and trust it anew there"
            )
        names = tuple(dict.fromkeys((socket.gethostname(), *hosts)))
        key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        certificate = _self_signed(key, application_uri_of(names[0]), names, days)
        _write_secret(self.own_key, _pem(key))
        self.own_certificate.write_bytes(certificate.public_bytes(serialization.Encoding.DER))
        return StoredCertificate(self.own_certificate, certificate)

    def own(self) -> StoredCertificate:
        """Our certificate; UserError says how to make one."""
        if not (self.own_certificate.is_file() and self.own_key.is_file()):
            raise UserError(f"{self.own_certificate} does not exist; make it with `neurotwin certs create CONFIG`")
        return StoredCertificate(self.own_certificate, read(self.own_certificate))

    def entries(self, place: str) -> list[StoredCertificate]:
        """The certificates of "trusted" or "rejected", by file name."""
        folder = self.folder / place
        files = sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES) if folder.is_dir() else []
        return [StoredCertificate(path, read(path)) for path in files]

    def keep_rejected(self, certificate: x509.Certificate) -> None:
        """Keep a certificate that was met and not trusted, so that it can be looked at and trusted."""
        self._put("rejected", certificate)

    def trust(self, what: str) -> StoredCertificate:
        """Trust a rejected certificate by (the beginning of) its thumbprint, or a certificate file."""
        if Path(what).is_file():
            return self._put("trusted", read(Path(what)))
        return self._move(what, "rejected", "trusted")

    def reject(self, what: str) -> StoredCertificate:
        """Trust a certificate no longer."""
        return self._move(what, "trusted", "rejected")

    def _move(self, what: str, origin: str, target: str) -> StoredCertificate:
        wanted = what.replace(":", "").replace(" ", "").upper()
        found = [e for e in self.entries(origin) if wanted and e.thumbprint.startswith(wanted)]
        if len({e.thumbprint for e in found}) != 1:
            problem = "more than one certificate" if found else "no certificate"
            raise UserError(
                f"{problem} in {self.folder / origin} begins with {what!r}; `neurotwin certs list CONFIG` shows them"
            )
        moved = self._put(target, found[0].certificate)
        for entry in found:
            entry.path.unlink()
        return moved

    def _put(self, place: str, certificate: x509.Certificate) -> StoredCertificate:
        path = self.folder / place / f"{thumbprint(certificate)}.der"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(certificate.public_bytes(serialization.Encoding.DER))
        return StoredCertificate(path, certificate)


def read(path: Path) -> x509.Certificate:
    """The certificate in this file, DER or PEM; UserError names the file when there is none."""
    try:
        content = path.read_bytes()
        pem = content.lstrip().startswith(b"-----BEGIN")
        return x509.load_pem_x509_certificate(content) if pem else x509.load_der_x509_certificate(content)
    except (OSError, ValueError) as fault:
        raise UserError(f"{path} cannot be read as a certificate ({fault}); give a DER or PEM file") from None


def first_of_chain(der: bytes) -> x509.Certificate:
    """The server's own certificate; those of its authorities may follow it (Part 6, 6.2.6)."""
    following = (
        4 + int.from_bytes(der[2:4], "big") if der[1] == 0x82 else len(der)
    )  # a two-byte length, as of all of these
    return x509.load_der_x509_certificate(der[:following])


def untrusted(store: Store, shown: x509.Certificate, application_uri: str, host: str, now: datetime) -> str:
    """Why a server that shows this certificate must not be believed, as the end of a sentence, or "".

    A certificate that is trusted itself is taken at any address. One that an authority vouches for must also be made
    out for this host, or any server of that authority could stand in for ours.
    """
    if not shown.not_valid_before_utc - CLOCK_SLACK <= now <= shown.not_valid_after_utc:
        return f"it is valid from {shown.not_valid_before_utc:%Y-%m-%d} to {shown.not_valid_after_utc:%Y-%m-%d} only"
    names = alternative_names(shown)
    if application_uri not in names:
        return f"it is made out to {names[0] if names else 'nobody'!r}, and the server calls itself {application_uri!r}"
    trusted = store.entries("trusted")
    if any(e.thumbprint == thumbprint(shown) for e in trusted):
        return ""
    if not any(_vouches(e.certificate, shown) for e in trusted):
        return "it is not trusted"
    return "" if host in names else f"it is made out to {', '.join(names)}, and not to {host!r}"


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 of the certificate, in capital hex."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()


def alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The application URI, then hosts and addresses, that the certificate is made out to."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    kinds = (x509.UniformResourceIdentifier, x509.DNSName)
    texts = [str(name) for kind in kinds for name in names.get_values_for_type(kind)]
    return (*texts, *(str(address) for address in names.get_values_for_type(x509.IPAddress)))


def application_uri_of(host: str) -> str:
    """The URI by which a controller on this host is known; a server compares it with our certificate."""
    return f"urn:{host}:neurotwin:controller"


def subject_of(certificate: x509.Certificate) -> str:
    """The common name, or the whole subject."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()


def _vouches(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.verify_directly_issued_by(authority)
    except (x509.ExtensionNotFound, InvalidSignature, ValueError, TypeError):
        return False
    return constraints.ca and authority.not_valid_after_utc >= datetime.now(UTC)


def _self_signed(key: rsa.RSAPrivateKey, uri: str, hosts: tuple[str, ...], days: int) -> x509.Certificate:
    """An application instance certificate as Part 6, 6.2.2 wants it."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "NeuroTwin controller"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "NeuroTwin"),
        ]
    )
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,  # it signs itself
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - CLOCK_SLACK).not_valid_after(now + timedelta(days=days))
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri), *(_general_name(h) for h in hosts)]
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    for extension, critical in (
        (x509.SubjectAlternativeName(names), False),
        (usage, True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (identifier, False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False),
    ):
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, hashes.SHA256())


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
