"""Supervision: whether the plant can be written to at all, and whether it looks after itself when we fall silent."""

from __future__ import annotations

from controller.settings import Settings

HEARTLESS = (
    "nothing can be written: [supervisor] has no heartbeat, by which the plant would notice that the controller "
    "stopped; SHADOW and advice that is set by hand remain"
)
READ_ONLY = "nothing can be written: {}; SHADOW and advice that is set by hand remain"
ALONE = "auto needs a plant that goes back to its own recipe by itself: {}; or set unsupervised = true in [supervisor]"
UNWATCHED = (
    "nothing shows that the plant watches the heartbeat (lease_node, in_control or lapses in [supervisor]), so what "
    "was written may stand when the controller stops"
)


def unsupervised(settings: Settings) -> tuple[str, ...]:
    """What this plant lacks to fall back to its own recipe by itself, a sentence each."""
    table = settings.supervisor
    endless = [v.name for v in settings.manipulated() if v.valid_until is None]
    found = []
    if endless:
        found.append(f"{', '.join(endless)} has no valid_until tag, so no command there expires by itself")
    if table.heartbeat is not None and not (table.lease_node or table.in_control or table.lapses):
        found.append(UNWATCHED)
    return tuple(found)


def against_auto(settings: Settings, forbidden: str) -> str:
    """Why there is no AUTO at this plant, or ""; `forbidden` is why nothing can be written there."""
    lacking = unsupervised(settings)
    if forbidden or not lacking or settings.supervisor.unsupervised:
        return forbidden
    return ALONE.format("; ".join(lacking))
