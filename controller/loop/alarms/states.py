"""Alarm states as a table, after ISA-18.2: what the matter and what people do to it.

| state        | the matter comes | the matter goes      | acknowledged         | reset  |
|--------------|------------------|----------------------|----------------------|--------|
| normal       | unacknowledged   | -                    | -                    | -      |
| unacknowl.   | -                | returned, or latched | acknowledged         | -      |
| acknowledged | -                | normal, or latched a.| -                    | -      |
| returned     | unacknowledged   | -                    | normal               | -      |
| latched      | unacknowledged   | -                    | latched acknowledged | -      |
| latched a.   | unacknowledged   | -                    | -                    | normal |

Shelved, suppressed by design and out of service lie beside the table: an alarm that comes back from there is
announced when its matter stands, and normal when not.
"""

from __future__ import annotations

from controller.loop.alarm_records import AlarmState

_MOVES = {
    (AlarmState.NORMAL, "on"): AlarmState.UNACKNOWLEDGED,
    (AlarmState.RETURNED, "on"): AlarmState.UNACKNOWLEDGED,
    (AlarmState.LATCHED, "on"): AlarmState.UNACKNOWLEDGED,
    (AlarmState.LATCHED_ACKNOWLEDGED, "on"): AlarmState.UNACKNOWLEDGED,
    (AlarmState.UNACKNOWLEDGED, "off"): AlarmState.RETURNED,
    (AlarmState.ACKNOWLEDGED, "off"): AlarmState.NORMAL,
    (AlarmState.UNACKNOWLEDGED, "ack"): AlarmState.ACKNOWLEDGED,
    (AlarmState.RETURNED, "ack"): AlarmState.NORMAL,
    (AlarmState.LATCHED, "ack"): AlarmState.LATCHED_ACKNOWLEDGED,
    (AlarmState.LATCHED_ACKNOWLEDGED, "reset"): AlarmState.NORMAL,
}
_LATCHING = {
    (AlarmState.UNACKNOWLEDGED, "off"): AlarmState.LATCHED,
    (AlarmState.ACKNOWLEDGED, "off"): AlarmState.LATCHED_ACKNOWLEDGED,
}
AWAY = (AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE)
STANDING = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)  # the states of a matter that stands


def after(state: AlarmState, event: str, latched: bool) -> AlarmState | None:
    """The state after "on", "off", "ack" or "reset"; None when that event means nothing in this state."""
    if latched and (state, event) in _LATCHING:
        return _LATCHING[state, event]
    return _MOVES.get((state, event))
