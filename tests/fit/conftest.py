"""Historical batches to fit to, exported from simulated ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from controller.processes import find
from controller.settings import load
from plant_sim.batch import Batch
from twin.signals import Role

HOURS = {"penicillin": 230.0, "mab": 145.0}


def batch_table(plant: str, seed: int, every_s: float = 1800.0) -> pd.DataFrame:
    """Online signals and assays of one batch as an engineer would export them: blank where nothing was measured."""
    settings = load(find(plant).configuration)
    batch = Batch(find(plant).design(), seed, scan_s=150.0)
    rows, known = [], {}
    while batch.elapsed_s < HOURS[plant] * 3600.0:
        row = {"hours": batch.elapsed_s / 3600.0}
        for variable in settings.variables:
            if variable.role is not Role.ASSAYED:
                row[variable.name] = batch.signals[variable.node].value
                continue
            result = batch.laboratory.results.get(variable.node)
            if result is not None and known.get(variable.name) != result.sampled_s:
                known[variable.name] = result.sampled_s
                rows.append({"hours": result.sampled_s / 3600.0, variable.name: result.signal.value})
        rows.append(row)
        batch.advance(every_s)
    return pd.DataFrame(rows).groupby("hours", as_index=False).first().sort_values("hours")


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Path]:
    """A folder of so many batches of a plant, made once."""
    made: dict[tuple[str, int], Path] = {}

    def folder(plant: str, count: int) -> Path:
        if (plant, count) not in made:
            made[plant, count] = tmp_path_factory.mktemp(f"{plant}_history")
            for k in range(count):
                batch_table(plant, 20 + k).to_csv(made[plant, count] / f"batch{k}.csv", index=False)
        return made[plant, count]

    return folder
