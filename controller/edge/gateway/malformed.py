"""Malformed requests: what is no plain JSON, is nested without end or breaks a schema is answered 422, in few words.

What was sent is never repeated in the answer: it may be no text, no number, or too deep to be written at all.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse

from controller.support.visible import visible

DEEPEST = 16  # levels; a plan by hand has four (design)


def read(body: bytes) -> Any:
    """What the body says; ValueError with a sentence when it is no plain JSON."""
    try:
        asked = json.loads(body, parse_constant=_no_number)
    except RecursionError:
        raise ValueError(f"the body is nested deeper than {DEEPEST} levels") from None
    except ValueError as fault:
        raise ValueError(f"the body is no JSON: {fault}") from None
    if not _within(asked, DEEPEST):
        raise ValueError(f"the body is nested deeper than {DEEPEST} levels")
    return asked


async def answer(_: Request, error: Exception) -> JSONResponse:
    """Where and why a request breaks its schema."""
    faults = error.errors() if isinstance(error, RequestValidationError) else ()
    told = [{"loc": [_place(at) for at in fault["loc"]], "msg": visible(fault["msg"])} for fault in faults]
    return JSONResponse({"detail": told}, 422)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number that JSON knows")


def _within(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_within(each, levels - 1) for each in inner)


def _place(at: Any) -> int | str:
    return at if isinstance(at, int) else visible(str(at))
