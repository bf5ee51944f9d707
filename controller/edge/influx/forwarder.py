"""Outbox forwarding to InfluxDB, in order and at least once, however long the server is away.

Each batch is one synchronous write, and the position is moved only after the server's answer: the client's own
batching mode drops points after some minutes of outage. After every new connection the rows of the last seconds are
sent again, since a server that crashed has lost some that it had acknowledged.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from controller.edge.historian import outbox
from controller.edge.historian.database import HistorianFault, faults_of, open_reader, open_writer, transaction
from controller.edge.historian.history import History
from controller.edge.influx.sender import Sender, WriteReply, WriteVerdict
from controller.settings import Settings

log = structlog.get_logger()

BATCH_ROWS = 5000  # larger batches gain nothing
BATCH_BYTES = 4_000_000  # well below every server's limit of a request's size, however long the rows are
RESEND_S = 120.0  # after a crash of the server: VictoriaMetrics writes to disk every 5 s, others may take longer
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
POLL_S = 0.2
REQUEST_TIMEOUT_S = 10.0


class ForwarderState(StrEnum):
    """What the forwarder is doing."""

    IDLE = "idle"  # not started
    FORWARDING = "forwarding"
    WAITING = "waiting"  # the server is away; tried again
    STOPPED = "stopped"  # a person must mend something; the rows are kept
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ForwarderStatus:
    """How the forwarding goes."""

    state: ForwarderState
    pending: int
    oldest_age_s: float | None  # wall seconds that the oldest waiting row has been waiting
    acknowledged: int  # the id of the newest acknowledged row; it goes back when rows are sent again
    dead_letters: int
    gaps: int  # entries in the ledger of what a full outbox dropped
    last_error: str


WENT_WELL = frozenset({WriteVerdict.STORED, WriteVerdict.AGAIN})


class Forwarder:
    """A thread that empties one historian's outbox into one bucket; `close` never waits longer than it is told."""

    def __init__(
        self,
        path: Path | str,
        url: str,
        org: str,
        bucket: str,
        token: str,
        *,
        batch_rows: int = BATCH_ROWS,
        resend_s: float = RESEND_S,
        request_timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> None:
        self._path = Path(path)
        self._sender = Sender(url, org, bucket, token, request_timeout_s)
        self._batch_rows = batch_rows
        self._resend_s = resend_s
        self._state, self._error = ForwarderState.IDLE, ""
        self._ending = threading.Event()  # send what can be sent, then end
        self._halt = threading.Event()  # end now
        self._thread = threading.Thread(target=self._run, name="influx", daemon=True)
        self._connections = 0  # of the sender, at the last write that went well
        self._failed = True  # since then; at the start the past is not known
        self._sent_twice = 0  # rows up to here are not sent again for a mere new connection

    @classmethod
    def of(cls, settings: Settings, historian: History) -> Self:
        """The running forwarder of this historian to the InfluxDB of these settings."""
        to = settings.influx
        if to is None:
            raise ValueError("the settings have no [influx] table")
        forwarder = cls(historian.path, to.url, to.org, to.bucket, to.token())
        forwarder.start()
        return forwarder

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Begin forwarding."""
        self._state = ForwarderState.FORWARDING
        self._thread.start()

    def close(self, timeout_s: float = 5.0) -> bool:
        """Send what the server still takes, and end within `timeout_s`; True when nothing is left to send.

        What is not sent stays in the outbox. A write that hangs ends by itself at its own timeout.
        """
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self._halt.set()
        return self.status().pending == 0

    def status(self) -> ForwarderStatus:
        """How the forwarding goes, as of now; any thread may ask."""
        with faults_of(self._path), contextlib.closing(open_reader(self._path)) as db:
            (dead,) = db.execute("SELECT count(*) FROM dead_letter").fetchone()
            (gaps,) = db.execute("SELECT count(*) FROM dropped").fetchone()
            return ForwarderStatus(
                state=self._state,
                pending=outbox.pending(db),
                oldest_age_s=outbox.oldest_age_s(db),
                acknowledged=outbox.position(db),
                dead_letters=int(dead),
                gaps=int(gaps),
                last_error=self._error,
            )

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        try:
            with contextlib.closing(open_writer(self._path)) as db:
                while not self._halt.is_set() and self._state is not ForwarderState.STOPPED:
                    waited = self._once(db, pause_s)
                    waiting = self._state is ForwarderState.WAITING
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S) if waiting else FIRST_PAUSE_S
                    if self._ending.is_set() and waited:
                        break
            if self._state is not ForwarderState.STOPPED:
                self._state = ForwarderState.CLOSED
        except BaseException as error:
            self._state, self._error = ForwarderState.STOPPED, f"the forwarder ended: {error}"
            log.error(self._error)
            if not isinstance(error, HistorianFault):
                raise
        finally:
            self._sender.close()

    def _once(self, db: sqlite3.Connection, pause_s: float) -> bool:
        """Send one batch, or wait; True when there was nothing that could be sent."""
        try:
            with faults_of(self._path):
                rows = outbox.waiting(db, self._batch_rows, BATCH_BYTES)
                answer = self._deliver(db, rows) if rows else None
                if answer is not None and answer.verdict is WriteVerdict.STORED:
                    outbox.prune(db, self._resend_s)
        except HistorianFault as fault:  # a full disk or a busy file: as good as a server that is away
            answer = WriteReply(WriteVerdict.AWAY, str(fault))
        self._tell(answer)
        if answer is not None and answer.verdict in WENT_WELL:
            return False
        self._ending.wait(POLL_S if answer is None else pause_s)
        return True

    def _deliver(self, db: sqlite3.Connection, rows: list[outbox.Row]) -> WriteReply:
        """Send rows, halving them around the ones that the server refuses, until those stand alone and are parked."""
        if self._halt.is_set():
            return WriteReply(WriteVerdict.AWAY, "closing")
        answer = self._sender.send([line for _, line in rows])
        if answer.verdict is WriteVerdict.STORED:
            return self._stored(db, rows[-1][0])
        if answer.verdict is WriteVerdict.BAD_ROWS and len(rows) > 1:
            half = len(rows) // 2
            answer = self._deliver(db, rows[:half])
            return self._deliver(db, rows[half:]) if answer.verdict is WriteVerdict.STORED else answer
        if answer.verdict is WriteVerdict.BAD_ROWS:
            with transaction(db):
                outbox.park(db, rows[0], answer.text)
            log.warning("a row was refused and set aside", answer=answer.text)
            return WriteReply(WriteVerdict.STORED)
        self._failed = True
        return answer

    def _stored(self, db: sqlite3.Connection, last: int) -> WriteReply:
        """Acknowledge; but after a new connection go back first, to what a crash of the server may have cost.

        A connection that merely changed is reason enough once for each row, else a server that closes every
        connection would get the same rows for ever.
        """
        renewed = self._sender.connections != self._connections
        with transaction(db):
            here = outbox.position(db)
            back_to = outbox.floor(db, self._resend_s) if renewed else here
            if not self._failed:
                back_to = max(back_to, min(here, self._sent_twice))
            if back_to < here:
                outbox.rewind(db, back_to)
            else:
                outbox.acknowledge(db, last)
        self._connections, self._failed = self._sender.connections, False
        if back_to == here:
            return WriteReply(WriteVerdict.STORED)
        self._sent_twice = here
        return WriteReply(WriteVerdict.AGAIN)

    def _tell(self, answer: WriteReply | None) -> None:
        """Keep the state, and log when it changes."""
        before = self._state
        if answer is None or answer.verdict in WENT_WELL:
            self._state = ForwarderState.FORWARDING
        elif answer.verdict is WriteVerdict.NOT_ALLOWED:
            self._state, self._error = ForwarderState.STOPPED, answer.text
        else:
            self._state, self._error = ForwarderState.WAITING, answer.text
        if self._state is not before:
            log.info("forwarding to InfluxDB", state=str(self._state), reason=answer.text if answer else "")
