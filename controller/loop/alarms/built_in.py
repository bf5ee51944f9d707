"""Built-in alarms: what no configuration may leave unsaid. One with the same signal in a configuration replaces it."""

from __future__ import annotations

from datetime import timedelta

from controller.loop.alarm_records import Priority
from controller.loop.alarms.definition import Definition, Kind

BUILT_IN = (
    Definition(
        name="hold_not_in_force",
        text="The hold is not in force",
        signal="loop.hold",
        kind=Kind.CONDITION,
        priority=Priority.CRITICAL,
        consequence="The reactor is fed on while people believe that it is held.",
        response="Set by hand at the reactor what the sentence names; NeuroTwin keeps trying.",
        within=timedelta(minutes=5),
    ),
    Definition(
        name="batch_tags_not_good",
        text="Tags about the batch are not good",
        signal="batch.unknown",
        kind=Kind.CONDITION,
        priority=Priority.MEDIUM,
        consequence="What was last known of the batch is believed; after a while nothing is written but a hold.",
        response="Look at the gateway and at the tags that the sentence names.",
        within=timedelta(minutes=30),
        off_delay=timedelta(seconds=300),
    ),
    Definition(
        name="supervision_refused",
        text="The plant refuses to be supervised",
        signal="loop.supervision",
        kind=Kind.CONDITION,
        priority=Priority.HIGH,
        consequence="Nothing is written; what is in force lapses, and the plant goes back to its own recipe.",
        response="Mend our rights at the tag that the sentence names; look at the setpoints at the reactor.",
        within=timedelta(minutes=15),
    ),
)
