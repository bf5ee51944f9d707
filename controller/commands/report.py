"""`neurotwin report`: the report of one batch as a self-contained HTML file, and as PDF."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from controller.commands.choice import Chosen, chosen
from controller.support.printing import progress
from controller.support.slug import slug


def report(
    batch: Annotated[str, typer.Argument(help="The batch, as the plant calls it.")],
    config: Chosen = None,
    out: Annotated[Path | None, typer.Option(help="The HTML file; BATCH.html by default.")] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also write it as PDF, beside the HTML.")] = False,
) -> None:
    """Write the report of a batch: phases, trends, estimates, suggestions, alarms, gaps, audit, checksums."""
    from controller.edge.historian import Historian
    from controller.review.report import content
    from controller.settings import load
    from hmi import batch_report

    settings = load(chosen(config))
    path = out or Path(f"{slug(batch)}.html")
    with Historian.reader(settings.historian_path()) as history:
        found = content(history, settings, batch, progress)
    path.parent.mkdir(parents=True, exist_ok=True)
    batch_report.write(found, path)
    written = [path]
    if pdf:
        written.append(path.with_suffix(".pdf"))
        batch_report.write_pdf(found, written[-1])
    print(f"wrote {' and '.join(str(p) for p in written)}")
