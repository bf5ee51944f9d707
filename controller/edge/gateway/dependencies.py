"""Route dependencies: the source behind the gateway, and who is asking."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from controller.edge.gateway.access import Caller
from controller.edge.gateway.source import Source
from controller.edge.users import UserRole

EVERYBODY = Caller("", UserRole.ENGINEER)  # on loopback without users, whoever asks may do everything


def _source(request: Request) -> Source:
    source: Source = request.app.state.source
    return source


def _person(request: Request) -> Caller:
    found: Caller = getattr(request.state, "person", EVERYBODY)
    return found


TheSource = Annotated[Source, Depends(_source)]
ThePerson = Annotated[Caller, Depends(_person)]
