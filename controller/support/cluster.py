"""Where long work is computed: a Dask scheduler, or a cluster of processes on this machine; the same code for both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from logging import ERROR

from distributed import Client, LocalCluster


@contextmanager
def client_of(scheduler: str | None, workers: int | None) -> Iterator[Client]:
    """A client of the scheduler at that address, or of so many processes here; None takes one a core."""
    if scheduler is not None:
        with Client(scheduler) as client:
            yield client
        return
    local = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=ERROR)
    with local as cluster, Client(cluster) as client:
        yield client
