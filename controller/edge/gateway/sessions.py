"""Sign-in routes: a name and a password for a token, to be sent as `Authorization: Bearer`."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from controller.edge.gateway.access import Access, Refused
from controller.edge.gateway.dependencies import ThePerson
from controller.edge.gateway.views import View
from controller.edge.users import UserRole

BROWSER = "x-browser-address"  # the header in which the console says where a person sits
ADDRESS_MAX = 64  # characters
router = APIRouter(prefix="/api/v1")


class SignInIn(BaseModel):
    """Who wants to sign in."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
    password: Annotated[SecretStr, Field(min_length=1, max_length=200)]


class SessionView(View):
    """Who is signed in; `token` is told once, at signing in. Without users everybody is "open"."""

    kind: Literal["open", "user", "program"]
    name: str
    role: UserRole
    token: str = ""


@router.post(
    "/session",
    summary="Sign in",
    responses={401: {"description": "Wrong name or password"}, 409: {"description": "Nobody signs in here"},
               429: {"description": "Too many attempts"}},
)  # fmt: skip
async def sign_in(asked: SignInIn, request: Request, response: Response) -> SessionView:
    """A token for this person. It ends after a shift, after an hour without any action, or with signing out."""
    access: Access | None = request.app.state.access
    if access is None:
        raise HTTPException(409, "this gateway has no users: everybody who reaches it may act")
    try:
        token, person = await access.sign_in(asked.name, asked.password.get_secret_value(), _address(request, access))
    except Refused as refused:
        if refused.again_s:
            raise HTTPException(429, str(refused), {"Retry-After": f"{refused.again_s:.0f}"}) from None
        raise HTTPException(401, str(refused), {"WWW-Authenticate": "Bearer"}) from None
    response.headers["Cache-Control"] = "no-store"
    return SessionView(kind="user", name=person.name, role=person.role, token=token)


def _address(request: Request, access: Access) -> str:
    """Where somebody sits who signs in: the console, which proves itself by its token, says it for its browsers."""
    here = request.client.host if request.client else ""
    told = request.headers.get(BROWSER, "")
    return told[:ADDRESS_MAX] if told and access.is_program(_token(request)) else here


def _token(request: Request) -> str:
    return request.headers.get("authorization", "").partition(" ")[2].strip()


@router.get("/session", summary="Who am I")
async def whoami(request: Request, person: ThePerson) -> SessionView:
    """The person behind the token; this does not keep a session awake."""
    if request.app.state.access is None:
        return SessionView(kind="open", name="", role=person.role)
    return SessionView(kind="user" if person.name else "program", name=person.name, role=person.role)


@router.delete("/session", summary="Sign out", status_code=204)
async def sign_out(request: Request) -> None:
    """End the session of this token."""
    access: Access | None = request.app.state.access
    if access is not None:
        access.sign_out(_token(request))
