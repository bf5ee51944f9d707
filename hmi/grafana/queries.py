"""InfluxQL, the language that InfluxDB 1.8, 2 and 3 all speak, as targets of Grafana's panels and variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.cog import builder, variants
from grafana_foundation_sdk.models.dashboard import DataSourceRef

SOURCE = DataSourceRef(type_val="influxdb", uid="neurotwin")
# The variables of every dashboard. A regular expression, so that several batches can be looked at together.
OF_BATCH = '("plant" =~ /^$plant$/ AND "batch" =~ /^$batch$/) AND $timeFilter'


@dataclass(frozen=True)
class InfluxQuery(variants.Dataquery):
    """One InfluxQL query; the SDK has none of its own for InfluxDB."""

    query: str
    alias: str = ""
    result_format: str = "time_series"  # or "table"
    ref_id: str = "A"

    def to_json(self) -> dict[str, object]:
        """As Grafana stores it."""
        return {
            "refId": self.ref_id,
            "datasource": SOURCE,
            "rawQuery": True,
            "query": self.query,
            "alias": self.alias,
            "resultFormat": self.result_format,
        }


@dataclass(frozen=True)
class Target(builder.Builder[variants.Dataquery]):
    """The query, as the SDK's panels want it."""

    query: InfluxQuery

    def build(self) -> variants.Dataquery:
        """The query."""
        return self.query


@dataclass(frozen=True)
class Trace:
    """One line of a panel: an expression over the fields of a measurement, such as `mean("X")`."""

    name: str
    measurement: str
    expression: str
    fill: str = "none"

    def target(self, index: int) -> Target:
        """Its query; `index` makes its letter."""
        query = (
            f'SELECT {self.expression} FROM "{self.measurement}" WHERE {OF_BATCH}'
            f' GROUP BY time($__interval), "batch" fill({self.fill})'
        )
        return Target(InfluxQuery(query, f"{self.name}", ref_id=_letter(index)))


def mean(name: str, measurement: str, field: str) -> Trace:
    """The mean of a field over each interval of the screen."""
    return Trace(name, measurement, f"mean({quoted(field)})")


def rows(measurement: str, *fields: str) -> Target:
    """The values of some fields as rows of a table, the newest first."""
    wanted = ", ".join(quoted(f) for f in fields)
    order = "ORDER BY time DESC LIMIT 200"
    return Target(InfluxQuery(f'SELECT {wanted} FROM "{measurement}" WHERE {OF_BATCH} {order}', result_format="table"))


def texts(measurement: str, field: str) -> str:
    """The query of an annotation: every text of this field."""
    return f'SELECT {quoted(field)} FROM "{measurement}" WHERE {OF_BATCH}'


def quoted(name: str) -> str:
    """A name in InfluxQL."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else f"{chr(ord('A') + index // 26 - 1)}{chr(ord('A') + index % 26)}"


def plain(value: Any) -> Any:
    """What the SDK builds, as plain JSON values."""
    from json import loads

    from grafana_foundation_sdk.cog.encoder import JSONEncoder

    return loads(JSONEncoder(sort_keys=True).encode(value))
