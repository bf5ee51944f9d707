"""`neurotwin grafana`: dashboards, provisioning and a compose file for InfluxDB and Grafana, from a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.commands.choice import Config
from controller.commands.scenario import patient_is_installed


def grafana(
    config: Config,
    out: Annotated[Path, typer.Option(help="Where to put them; files of the same names are replaced.")] = Path(
        "grafana"
    ),
) -> None:
    """Write Grafana's dashboards and provisioning, and a compose file that starts them with InfluxDB."""
    from controller.settings import load
    from hmi.grafana import provisioning

    settings = load(config)
    org = settings.influx.org if settings.influx else "plant"
    bucket = settings.influx.bucket if settings.influx else "bio"
    written = provisioning.write(content_of(settings), out, org or "plant", bucket or "bio")
    print(
        f"wrote {len(written)} files to {out}; next: cd {out} && docker compose up -d, then open http://127.0.0.1:3000"
    )
    if settings.influx is None:
        print(
            f'for data, add to {config}:\n[influx]\nurl = "http://127.0.0.1:8086"\norg = "{org}"\nbucket = "{bucket}"\n'
            f'token_file = "{(out / "token").resolve()}"'
        )


def content_of(settings: Any) -> Mapping[str, Any]:
    """What the dashboards are made from: the plant's variables, and what the twin and NeuroCore know of it."""
    from controller.settings import process_of

    plant, process = settings.plant_record(), process_of(settings)
    model = process.model()
    variables = [{"name": v.name, "text": v.text, "unit": v.unit, "role": str(v.role)} for v in plant.variables]
    states = [{"name": s.name, "unit": s.unit} for s in model.states]
    online = {v["name"] for v in variables if v["role"] != "assayed"}
    return {
        "variables": variables,
        "states": states,
        "multipliers": [m.name for m in model.multipliers],
        "learned": list(process.learned),
        "signals": [o.name for o in model.outputs if o.name in online],
        "objective": process.product,
        "courses": _courses(),
    }


def _courses() -> list[Mapping[str, Any]]:
    """The patient's, where that package is installed."""
    if not patient_is_installed():
        return []
    from hmi.patient.subject import COURSE

    return [COURSE]
