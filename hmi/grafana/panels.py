"""Panel types after ISA-101: muted lines, colour for what is not as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import common, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from hmi.grafana.queries import OF_BATCH, SOURCE, InfluxQuery, Target, Trace, quoted

HALF, THIRD, WHOLE = 12, 8, 24  # of Grafana's 24 columns
TALL, LOW = 8, 4  # of its rows
BAND, INK, SETPOINT, ASSAY = "#9db4cc", "#1b4f8a", "#6b7785", "#d0342c"
UNITS = {"degC": "celsius", "%": "percent", "h": "h", "1": "none", "": "none"}


def unit_of(unit: str) -> str:
    """Grafana's name of a unit; what it does not know is written behind the number."""
    return UNITS.get(unit, f"suffix: {unit}")


def trend(title: str, unit: str, traces: Sequence[Trace], span: int = HALF, text: str = "") -> timeseries.Panel:
    """Lines over time."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(text)
        .datasource(SOURCE)
        .unit(unit_of(unit))
        .span(span)
        .height(TALL)
        .line_width(2)
        .fill_opacity(0)
        .show_points(options.VisibilityMode.AUTO)
        .span_nulls(3_600_000)
        .legend(
            common.VizLegendOptions()
            .display_mode(options.LegendDisplayMode.LIST)
            .placement(options.LegendPlacement.BOTTOM)
            .show_legend(len(traces) > 1)
        )
        .tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI))
    )
    for index, trace in enumerate(traces):
        panel = panel.with_target(trace.target(index))
    return panel


def marked(panel: timeseries.Panel, name: str, colour: str, **custom: Any) -> timeseries.Panel:
    """One line of it in a colour of its own and drawn otherwise, such as points for assays."""
    values = [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})]
    values += [DynamicConfigValue(f"custom.{key}", value) for key, value in custom.items()]
    return panel.override_by_name(name, values)


def estimated(title: str, unit: str, state: str, assayed: bool) -> timeseries.Panel:
    """A state of the twin with its 80 % band, what was forecast of it, and the laboratory's truth."""
    mean, sd = quoted(state), quoted(f"{state}_sd")
    traces = [
        Trace("80 % high", "estimate", f"mean({mean}) + 1.2816 * mean({sd})"),
        Trace("80 % low", "estimate", f"mean({mean}) - 1.2816 * mean({sd})"),
        Trace("estimate", "estimate", f"mean({mean})"),
        Trace("forecast 12 h before", "estimate", f"mean({quoted(f'{state}_forecast')})"),
    ]
    if assayed:
        traces.append(Trace("assay", "process", f"last({mean})"))
    panel = trend(title, unit, traces, text="What was forecast half a day before, beside what came of it.")
    panel = marked(panel, "80 % high", BAND, fillBelowTo="80 % low", lineWidth=0, fillOpacity=25)
    panel = marked(panel, "80 % low", BAND, lineWidth=0)
    panel = marked(panel, "estimate", INK)
    panel = marked(panel, "forecast 12 h before", SETPOINT, lineStyle={"fill": "dash", "dash": [8, 8]}, lineWidth=1)
    return marked(panel, "assay", ASSAY, drawStyle="points", pointSize=8)


def figure(title: str, unit: str, measurement: str, field: str, decimals: int = 2) -> stat.Panel:
    """The newest value as a number."""
    query = f'SELECT last({quoted(field)}) FROM "{measurement}" WHERE {OF_BATCH}'
    return (
        stat.Panel()
        .title(title)
        .datasource(SOURCE)
        .unit(unit_of(unit))
        .decimals(decimals)
        .span(4)
        .height(LOW)
        .color_mode(options.BigValueColorMode.NONE)
        .graph_mode(options.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(Target(InfluxQuery(query)))
    )


def words(title: str, measurement: str, field: str) -> statetimeline.Panel:
    """A text that lasts, such as the phase, as a bar over time."""
    query = f'SELECT {quoted(field)} FROM "{measurement}" WHERE {OF_BATCH}'
    return (
        statetimeline.Panel()
        .title(title)
        .datasource(SOURCE)
        .span(WHOLE)
        .height(LOW)
        .merge_values(True)
        .line_width(0)
        .fill_opacity(70)
        .with_target(Target(InfluxQuery(query, title)))
    )


def listed(title: str, target: Target, span: int = WHOLE, text: str = "") -> table.Panel:
    """Rows of text, the newest first."""
    panel = table.Panel().title(title).description(text).datasource(SOURCE).show_header(True)
    return panel.span(span).height(TALL).with_target(target)
