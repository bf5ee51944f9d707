"""The patient on the console, as a plant of its own: samples played through the same turn that serves a bioreactor.

Research use only. Advisory. Nothing is ever written.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from controller.edge.serve import serving
from controller.patient.advice.case import Treatment
from controller.patient.course import Course
from controller.patient.data.samples import Sample
from controller.patient.parts import neuro_core_of
from controller.patient.pharmacology.pharmacokinetics import Level
from controller.patient.source import PatientSource
from controller.support.child_process import end

SPEED = 10_800.0  # process seconds per second: a sample every two seconds


async def serve_patient(
    samples: Sequence[Sample],
    treatment: Treatment,
    host: str = "127.0.0.1",
    port: int = 8420,
    speed: float = SPEED,
    backend: str = "reference",
    levels: Sequence[Level] = (),
    patient_id: str = "patient",
    text: str = "Simulated patient",
    stay: bool = True,
    ready: Callable[[PatientSource], None] | None = None,
) -> PatientSource:
    """Play the samples behind a gateway at `speed` process seconds per second, and serve it until cancelled.

    With `stay` false it ends with the last sample. `ready` hears of the source as soon as the gateway is up.
    """
    async with playing(samples, treatment, speed, backend, levels, patient_id, text) as (source, over):
        async with serving(source, host, port):
            if ready is not None:
                ready(source)
            try:
                await over
                if stay:
                    await asyncio.Event().wait()
            finally:
                source.close()
    return source


@contextlib.asynccontextmanager
async def playing(
    samples: Sequence[Sample],
    treatment: Treatment,
    speed: float = SPEED,
    backend: str = "reference",
    levels: Sequence[Level] = (),
    patient_id: str = "patient",
    text: str = "Simulated patient",
) -> AsyncIterator[tuple[PatientSource, asyncio.Task[None]]]:
    """A source whose samples are being played, and the task that ends with the last of them."""
    with neuro_core_of(backend, treatment.pk) as core:
        source = PatientSource(Course(samples, treatment, core, levels), patient_id, text)
        over = asyncio.create_task(source.play(6 * 3600.0 / speed))
        try:
            yield source, over
        finally:
            over.cancel()
            await asyncio.gather(over, return_exceptions=True)


@contextlib.contextmanager
def console_beside(gateway: str, host: str = "127.0.0.1", port: int = 8421) -> Iterator[subprocess.Popen[bytes]]:
    """The console as a process of its own, which ends with the block."""
    command = [sys.executable, "-m", "hmi.console", "--gateway", gateway, "--host", host, "--port", str(port)]
    child = subprocess.Popen(command, start_new_session=True)
    try:
        yield child
    finally:
        end(child)
