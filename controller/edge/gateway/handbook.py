"""API documentation as one plain page, since the usual ones load scripts from the internet."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

STYLE = "body{font:15px/1.5 sans-serif;max-width:46em;margin:2em auto;padding:0 1em}code{font-size:1.05em}"


async def handbook(request: Request) -> HTMLResponse:
    """Every route with what it is for, from the OpenAPI description."""
    described: dict[str, Any] = request.app.openapi()
    info = described["info"]
    page = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(info['title'])}</title>",
        f"<style>{STYLE}</style><h1>{escape(info['title'])}</h1><p>{escape(info['summary'])}</p>",
        f"<p>In full: <a href={request.app.openapi_url}>OpenAPI</a></p>",
        *_routes(described["paths"]),
    ]
    return HTMLResponse("".join(page))


def _routes(paths: dict[str, Any]) -> Iterator[str]:
    for path, methods in paths.items():
        for method, route in methods.items():
            yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
            yield f"<p><b>{escape(route['summary'])}.</b> {escape(route.get('description', ''))}</p>"
            for parameter in route.get("parameters", []):
                text = parameter.get("description", "")
                yield f"<p>&emsp;<code>{escape(parameter['name'])}</code> {escape(text)}</p>"
