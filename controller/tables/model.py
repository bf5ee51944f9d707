"""The twin's model: parameters that a fit to historical batches gave."""

from __future__ import annotations

from pathlib import Path

from pydantic import model_validator
from pydantic.dataclasses import dataclass

from controller.tables.values import STRICT, readable


@dataclass(frozen=True, config=STRICT)
class ModelTable:
    """[model]: `parameters` is a file that `neurotwin fit` wrote; without it the literature's values hold."""

    parameters: Path | None = None

    @model_validator(mode="after")
    def _there(self) -> ModelTable:
        readable("parameters", self.parameters)
        return self
