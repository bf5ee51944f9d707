"""`neurotwin bench console`: how soon trends of days are drawn, what ten pages cost, and whether memory grows.

Three processes, as in use: a gateway with its historian (`controller.bench.steady`: a turn a second made by chance),
the console, and Chromium with real pages. Processor time and memory are the kernel's figures of the first two.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from controller.bench import steady
from controller.bench.pages import SIZE, TrendPage, chromium, heap_mb, watch
from controller.bench.soak import resident_mb
from controller.demo.child_plant import await_line, free_port
from controller.support.child_process import end

OPEN_S, ZOOM_S, CPU_PERCENT = 1.0, 0.5, 30.0  # what is aimed at
GROWTH_MB_H = 5.0  # steady growth that is called none, if its doubt does not exclude it (design)
DISPLAYS = ("", "/trends", "", "/trends", "/twin", "", "/trends", "/pharmacoloop", "/neurocore", "/alarms")
WARM_UP = 0.25  # of the samples: caches fill, pages are built (design)
Say = Callable[[str], None]


def measured(
    say: Say, minutes: float = 60.0, days: float = 7.0, clients: int = 10, opens: int = 7, watch_s: float = 60.0
) -> dict[str, Any]:
    """Every figure; `minutes` are those over which memory is watched."""
    with tempfile.TemporaryDirectory(prefix="neurotwin-bench-") as folder, ExitStack() as opened:
        path = Path(folder) / "historian.sqlite"
        say(f"storing {days:g} days of {steady.TAGS} tags at a scan a second")
        rows = steady.fill(path, days, datetime.now(UTC))
        gateway, console, address = opened.enter_context(_served(path))
        time.sleep(3.0)
        idle = _cpu_percent((gateway, console), watch_s / 2)
        browser = opened.enter_context(chromium())
        found: dict[str, Any] = {"tags": steady.TAGS, "days": days, "rows": rows, "cpu_percent_no_client": sum(idle)}
        found |= _drawn(browser, address, opens, say)
        found |= _clients(browser, address, (gateway, console), (clients, watch_s, minutes), say)
    return {**found, **_verdicts(found)}


@contextmanager
def _served(path: Path) -> Iterator[tuple[int, int, str]]:
    """The process ids of gateway and console, and the console's address."""
    port = free_port(0)
    commands = [
        [sys.executable, "-m", "controller.bench.steady", str(path), str(port)],
        [sys.executable, "-m", "hmi.console", "--gateway", f"http://127.0.0.1:{port}", "--port", str(free_port(0))],
    ]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            started.append(subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True))
            await_line(started[-1], "ready")
        yield started[0].pid, started[1].pid, f"http://127.0.0.1:{commands[1][-1]}"
    finally:
        for process in reversed(started):
            end(process)
            if process.stdout is not None:
                process.stdout.close()


def _drawn(browser: Any, address: str, opens: int, say: Say) -> dict[str, Any]:
    """Opening and zooming the trends of all tags in a browser that knows the console, and a first visit of another."""
    say(f"opening and zooming {steady.TAGS} strips, {opens} times each")
    context = browser.new_context(viewport=SIZE)
    page = TrendPage(context, address, steady.PLANT, steady.NAMES)
    page.opened_s()
    opened = [page.opened_s() for _ in range(opens)]
    zoomed = [page.zoomed_s() for _ in range(opens)]
    page.close()
    context.close()
    new = browser.new_context(viewport=SIZE)
    first = TrendPage(new, address, steady.PLANT, steady.NAMES).opened_s()
    new.close()
    return {**_spread("open_s", opened), **_spread("zoom_s", zoomed), "open_first_visit_s": first}


def _spread(name: str, times: Sequence[float]) -> dict[str, float]:
    return {f"{name}_p50": statistics.median(times), f"{name}_max": max(times)}


def _clients(
    browser: Any, address: str, servers: tuple[int, int], how: tuple[int, float, float], say: Say
) -> dict[str, Any]:
    """So many pages in browsers of their own: processor time of the servers, then memory for so many minutes."""
    count, watch_s, minutes = how
    displays = [DISPLAYS[i % len(DISPLAYS)] for i in range(count)]
    say(f"{count} pages at a turn a second, {watch_s:g} s")
    pages = [watch(browser.new_context(viewport=SIZE), f"{address}/reactor/{steady.PLANT}{d}") for d in displays]
    time.sleep(5.0)
    gateway, console = _cpu_percent(servers, watch_s)
    found: dict[str, Any] = {
        "clients": count,
        "displays": [display.strip("/") or "unit" for display in displays],
        "cpu_percent": gateway + console,
        "cpu_percent_gateway": gateway,
        "cpu_percent_console": console,
        "turns": _turns_of(pages[0]),
    }
    return found | _memory(pages, servers, minutes, say)


def _turns_of(page: Any) -> str:
    """The banner of a page, which counts the scans: the pages do follow."""
    return str(page.locator(".banner").inner_text()).strip()


def _memory(pages: Sequence[Any], servers: tuple[int, int], minutes: float, say: Say) -> dict[str, Any]:
    """Memory of gateway, console and one page each of unit and trends, and how it grows after a warm-up."""
    names = ("gateway_rss", "console_rss", "unit_heap", "trends_heap")
    times: list[float] = []
    seen: dict[str, list[float]] = {name: [] for name in names}
    began, every_s = time.monotonic(), max(1.0, 60.0 * minutes / 120)
    while (spent := time.monotonic() - began) < 60.0 * minutes or len(times) < 8:
        times.append(spent / 3600.0)
        sizes = (*map(resident_mb, servers), *map(heap_mb, pages[:2]))
        for name, size in zip(names, sizes, strict=True):
            seen[name].append(size)
        if len(times) % 20 == 0:
            say(f"memory after {spent / 60:.0f} of {minutes:g} min: " + ", ".join(f"{s:.0f} MB" for s in sizes))
        time.sleep(every_s)
    found: dict[str, Any] = {"memory_minutes": 60.0 * times[-1]}
    for name, values in seen.items():
        slope, doubt = slope_per_h(times, values)
        found |= {f"{name}_mb": values[-1], f"{name}_mb_h": slope, f"{name}_mb_h_doubt": doubt}
    return found


def slope_per_h(times_h: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Growth an hour after the warm-up, by least squares, and two standard errors of it.

    Memory grows in steps that last, so neighbours are no independent witnesses: the error is that of means of eighths.
    """
    first = int(WARM_UP * len(times_h))
    parts = [part for part in np.array_split(np.column_stack([times_h, values])[first:], 8) if len(part)]
    t, y = np.array([part.mean(axis=0) for part in parts]).T
    slope, level = np.polyfit(t, y, 1)
    spread = float(np.sum((y - level - slope * t) ** 2)) / max(1, len(t) - 2)
    return float(slope), 2.0 * math.sqrt(spread / float(np.sum((t - t.mean()) ** 2)))


def _cpu_percent(processes: Sequence[int], seconds: float) -> list[float]:
    """Processor time of each, of all its threads, in percent of one core."""
    before, began = [_cpu_s(pid) for pid in processes], time.monotonic()
    time.sleep(seconds)
    spent = time.monotonic() - began
    return [100.0 * (_cpu_s(pid) - was) / spent for pid, was in zip(processes, before, strict=True)]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _verdicts(found: dict[str, Any]) -> dict[str, bool]:
    """What holds of what is aimed at; growth counts where even its doubt does not explain it."""
    grows = [found[name] - found[f"{name}_doubt"] > GROWTH_MB_H for name in found if name.endswith("_mb_h")]
    return {
        "opens_within_1_s": found["open_s_max"] <= OPEN_S,
        "zooms_within_500_ms": found["zoom_s_max"] <= ZOOM_S,
        "cpu_within_30_percent": found["cpu_percent"] <= CPU_PERCENT,
        "memory_is_steady": not any(grows),
    }
