"""Configuration check: every configured tag, and with a connection what the plant holds there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from controller.edge.opcua.connection import TagReport
from controller.edge.opcua.link import PlantLink
from controller.edge.opcua.scanning import judge
from controller.edge.opcua.supervision import HEARTLESS, against_auto, unsupervised
from controller.edge.opcua.tags import KINDS, Tag, TagKind, tags_of
from controller.settings import Settings
from twin.signals import Plant

CONNECT_WITHIN_S = 10.0


def rows(settings: Settings) -> list[dict[str, Any]]:
    """One row a tag, from the configuration alone: a file that could be loaded has nothing to complain of."""
    return [_row(tag, "", "", "ok") for tag in tags_of(settings)]


async def rows_connected(settings: Settings, deadline_s: float = CONNECT_WITHIN_S) -> list[dict[str, Any]]:
    """One row a tag with the value and quality that the plant gives now; the verdict is "ok" or what to mend."""
    link = PlantLink(settings)
    try:
        await link.connect(deadline_s, check=False)
        reports = await link.inspect()
    finally:
        await link.close()
    plant = settings.plant_record()
    return [_row(r.tag, *_seen(r, plant), r.fault or "ok", r.restriction) for r in reports]


def remarks(settings: Settings, forbidden: str = "") -> list[str]:
    """What is not possible at this plant, though it can be read, a sentence each."""
    forbidden = forbidden or (HEARTLESS if settings.supervisor.heartbeat is None else "")
    auto = against_auto(settings, forbidden)
    return [*(told for told in unsupervised(settings) if told not in auto), *([auto] if auto else [])]


def _row(tag: Tag, value: str, quality: str, verdict: str, remark: str = "") -> dict[str, Any]:
    name = tag.owner if tag.key == "node" else f"{tag.owner}.{tag.key}"
    return {
        "tag": name,
        "node": tag.node,
        "unit": tag.unit if KINDS[tag.key] is TagKind.NUMBER else "",
        "value": value,
        "quality": quality,
        "verdict": verdict,
        "remark": remark,
    }


def _seen(report: TagReport, plant: Plant) -> tuple[str, str]:
    """The value as text, and its quality with the reason when that is not good."""
    if KINDS[report.tag.key] is TagKind.METHOD:
        return "", "" if report.facts.exists else "absent: the plant runs by itself"
    held = report.raw
    text = "" if held.value is None else _text(held.value)
    quality, reason = held.status, held.status_name
    if report.tag.key == "node":
        reading = judge(plant.variable(report.tag.owner), held)
        quality, reason = reading.quality, reading.reason
    name = quality.name.lower()
    return text, f"{name}: {reason}" if quality else name


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
