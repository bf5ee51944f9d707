"""Write authority: a controller writes once it has read the plant, and while no other one is at work there."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from controller.edge.opcua.claim import Claim
from controller.edge.opcua.connection import ClientSession, Connection
from controller.edge.opcua.exchange import read_tags, write_tags
from controller.edge.opcua.raw import Raw
from controller.edge.opcua.rivals import Heartbeat
from controller.edge.opcua.scanning import Scan
from controller.edge.opcua.supervision import HEARTLESS
from controller.edge.opcua.tags import PlantLost
from controller.settings import Settings

UNREAD = "the link is new, and the plant has not been read since"


class Authority:
    """The claim, where the plant grants one, and the heartbeat."""

    def __init__(self, wire: Connection, settings: Settings) -> None:
        self._wire, self._beat_node = wire, settings.supervisor.heartbeat
        self._heartbeat = Heartbeat(settings.supervisor.lease_s)
        self._claim = Claim(settings)
        self.refusal = ""  # what the plant said to the last claim or beat that it refused, without another controller

    @property
    def forbidden(self) -> str:
        """Why nothing can be written to this plant at all, or ""."""
        return HEARTLESS if self._beat_node is None else self._wire.restriction

    @property
    def rival(self) -> str:
        """Why nothing may be written because another controller serves this plant too, or ""."""
        return self._claim.rival or self._heartbeat.rival

    @property
    def not_yet(self) -> str:
        """Why a command has to wait for a scan, or "": a plant that grants no claim is watched for that long first."""
        return "" if self._claim.node is not None or self.forbidden else self._heartbeat.unwatched

    def seen(self, held: Mapping[str, Raw], scan: Scan) -> None:
        """Whose the heartbeat and the claim are at a scan."""
        if not self._wire.resynchronised:
            self._heartbeat.anew()
        if self._beat_node is not None:
            self._heartbeat.seen(held[self._beat_node].value, scan.snapshot.time)
        if self._claim.node is not None:
            self._claim.seen(held[self._claim.node].value)

    async def objection(self, session: ClientSession) -> str:
        """Why this controller must not write now, or ""."""
        if not self._wire.resynchronised:
            return UNREAD
        known = self.forbidden or self.rival or self.not_yet or self.refusal
        return known or await self._unclaimed(session) or await self._overtaken(session)

    async def beat(self, session: ClientSession) -> bool:
        """Tell the plant that the controller lives; False when the plant was not looked at yet, or does not take it."""
        if not self._wire.resynchronised or self._heartbeat.gives_way or self.not_yet:
            return False
        if self._beat_node is None or self.forbidden:
            return False
        self.refusal = ""
        if await self._unclaimed(session):
            return False
        value = self._heartbeat.next()
        refused = await write_tags(self._wire, session, {self._beat_node: value})
        self.refusal = refused[self._beat_node]
        if not self.refusal:
            self._heartbeat.beaten(value)
        return not self.refusal

    def rest(self) -> None:
        """Nothing is to be written: what was refused stands in the way of nothing."""
        self.refusal = ""

    async def give_up(self) -> None:
        """Give the claim back, if the plant can still be told."""
        session = self._wire.current
        if session is not None and self._claim.granted(session):
            with contextlib.suppress(PlantLost):
                await write_tags(self._wire, session, {str(self._claim.node): ""})

    async def _unclaimed(self, session: ClientSession) -> str:
        """Claim a plant that grants claims, once a session; the plant decides between two that ask at once."""
        if self._claim.node is None or self._claim.granted(session):
            return ""
        if self._claim.rival:
            return self._claim.rival
        node = self._claim.node
        refused = (await write_tags(self._wire, session, {node: self._claim.name}))[node]
        held = (await read_tags(self._wire, session, [node]))[node].value if refused else None
        told = self._claim.answered(session, refused, held)
        self.refusal = "" if self._claim.rival else refused
        return told

    async def _overtaken(self, session: ClientSession) -> str:
        """Of a plant without claims: a heartbeat that changed since the scan is another controller's, found in time."""
        if self._claim.node is not None or self._beat_node is None:
            return ""
        held = await read_tags(self._wire, session, [self._beat_node])
        return self._heartbeat.overtaken(held[self._beat_node].value)
