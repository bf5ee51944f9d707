"""Client security: how it proves who it is and whom it believes: policy, certificates, and login."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto import security_policies
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from controller.edge.opcua.certificates import Store, alternative_names, first_of_chain, thumbprint, untrusted
from controller.edge.opcua.tags import PlantLost, PlantMismatch
from controller.support.user_error import UserError
from controller.tables import ConnectionTable

POLICIES: dict[str, type[security_policies.SecurityPolicy]] = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128Sha256RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256Sha256RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
}
ANONYMOUS_URI = "urn:neurotwin:controller"
UNKNOWN_THERE = "the server does not trust our certificate: trust own/controller.der of the certificates folder there"


class Untrusted(PlantMismatch):
    """The server shows a certificate that nobody here trusts; the text says how to trust it."""


class LoginRefused(PlantMismatch):
    """The server lets this user not in; the text says what to mend."""


async def secure(client: Client, at: ConnectionTable) -> None:
    """Prepare a client that is not connected yet; PlantMismatch when the server must not be believed."""
    client.application_uri = ANONYMOUS_URI
    if at.security != "None":
        await _secure_channel(client, at)
    password = at.password()
    if at.user is not None and password is not None:
        client.set_user(at.user)
        client.set_password(password)
    if at.user_certificate is not None and at.user_key is not None:
        try:
            await client.load_client_certificate(str(at.user_certificate))
            await client.load_private_key(at.user_key)
        except (OSError, ValueError, TypeError) as fault:
            raise PlantMismatch(
                f"{at.user_certificate} and {at.user_key} cannot be read ({fault}): mend user_certificate in "
                "[connection]; a .pem file is text, a .der file is binary, and the key has no password"
            ) from None


async def _secure_channel(client: Client, at: ConnectionTable) -> None:
    """Look at the server's certificate over an open channel, judge it, and pin it for the secured one."""
    store = Store(at.certificates)
    try:
        own = store.own()
    except UserError as fault:
        raise PlantMismatch(str(fault)) from None
    client.application_uri = alternative_names(own.certificate)[0]
    endpoints = await client.connect_and_get_server_endpoints()
    policy, mode = POLICIES[at.security], ua.MessageSecurityMode[at.security_mode]
    offered = [e for e in endpoints if e.SecurityPolicyUri == policy.URI and e.SecurityMode == mode]
    if not offered:
        raise PlantMismatch(
            f"the server at {at.endpoint} does not offer {at.security} with {at.security_mode} but "
            f"{_offers(endpoints)}: mend security and security_mode in [connection]"
        )
    if not offered[0].ServerCertificate:
        raise PlantLost(f"the server at {at.endpoint} shows no certificate")
    shown = first_of_chain(offered[0].ServerCertificate)
    _believe(store, shown, offered[0].Server.ApplicationUri or "", at)
    await client.set_security(
        policy, own.path, store.own_key, None, shown.public_bytes(serialization.Encoding.DER), mode
    )


def _believe(store: Store, shown: x509.Certificate, application_uri: str, at: ConnectionTable) -> None:
    host = urlsplit(at.endpoint).hostname or ""
    reason = untrusted(store, shown, application_uri, host, datetime.now(UTC))
    if not reason:
        return
    store.keep_rejected(shown)
    print_ = thumbprint(shown)
    if reason != "it is not trusted":
        raise Untrusted(f"the server at {at.endpoint} shows the certificate {print_}, and {reason}: renew it there")
    raise Untrusted(
        f"the server at {at.endpoint} shows the certificate {print_}, which is not trusted: compare the thumbprint "
        f"with the one shown at the server, then run `neurotwin certs trust CONFIG {print_}`"
    )


def _offers(endpoints: list[ua.EndpointDescription]) -> str:
    """What a server offers, for people."""
    found = {f"{(e.SecurityPolicyUri or '').rpartition('#')[2]}/{e.SecurityMode.name.rstrip('_')}" for e in endpoints}
    return ", ".join(sorted(found)) or "nothing"


def login_fault(fault: UaError, at: ConnectionTable) -> str:
    """What to mend when the plant does not let this user in, or "" when that is not what is wrong."""
    code = getattr(fault, "code", 0)
    if code not in (
        StatusCodes.BadUserAccessDenied,
        StatusCodes.BadIdentityTokenInvalid,
        StatusCodes.BadIdentityTokenRejected,
    ):
        return ""
    refusal = f"the plant at {at.endpoint} does not let us in ({type(fault).__name__})"
    if at.user is not None:
        return f"{refusal}: mend user {at.user!r} or password_file in [connection]"
    if at.user_certificate is not None:
        return f"{refusal}: mend user_certificate in [connection], or trust it at the server"
    return f"{refusal}: it wants a login; give user and password_file in [connection]"


def advice(fault: UaError) -> str:
    """What a person can do about a refusal by the server, or ""."""
    code = getattr(fault, "code", 0)
    if code in (StatusCodes.BadSecurityChecksFailed, StatusCodes.BadCertificateUntrusted):
        return UNKNOWN_THERE
    return ""
