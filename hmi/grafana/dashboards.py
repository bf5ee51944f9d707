"""Dashboards from plain data: the plant's variables, the twin's states and multipliers, the signals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog import builder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardLinkType,
    VariableRefresh,
    VariableSort,
)

from hmi.grafana import panels
from hmi.grafana.panels import HALF, THIRD, WHOLE
from hmi.grafana.queries import SOURCE, Trace, mean, plain, rows, texts

Content = Mapping[str, Any]
TAG = "neurotwin"
# Annotations: caption, measurement, field of its text, colour.
NOTED = (
    ("Phases", "alarm", "phase_began", "#6b7785"),
    ("Samples", "alarm", "sample", "#d0342c"),
    ("Suggestions", "suggestion", "reason", "#1b4f8a"),
)
QUALITY = "0 good, 1 uncertain, 2 bad"


def dashboards(content: Content) -> dict[str, dict[str, Any]]:
    """By file name, each dashboard as Grafana's JSON."""
    made = {
        "overview": _overview,
        "unit": _unit,
        "twin": _twin,
        "neurocore": _neurocore,
        "pharmacoloop": _pharmacoloop,
        "alarms": _alarms,
        "historian": _historian,
    } | {course["name"]: partial(_course, course) for course in content["courses"]}
    return {name: _placed(_current(plain(build(content)))) for name, build in made.items()}


def _current(made: dict[str, Any]) -> dict[str, Any]:
    """Without what the SDK's version writes that the schema of the Grafana in compose.yaml no longer has."""
    made.pop("style", None)
    for variable in made["templating"]["list"]:
        for key in ("auto", "auto_count", "auto_min", "id"):
            variable.pop(key, None)
    return made


def _placed(made: dict[str, Any]) -> dict[str, Any]:
    """With its panels in rows from left to right, as text flows."""
    x, y, tallest = 0, 0, 0
    for panel in made["panels"]:
        at = panel["gridPos"]
        if x + at["w"] > WHOLE:
            x, y, tallest = 0, y + tallest, 0
        at["x"], at["y"] = x, y
        x, tallest = x + at["w"], max(tallest, at["h"])
    return made


def _begun(name: str, title: str, content: Content) -> dashboard.Dashboard:
    plants = dashboard.QueryVariable("plant").label("Plant").datasource(SOURCE).sort(VariableSort.ALPHABETICAL_ASC)
    plants = plants.query('SHOW TAG VALUES FROM "estimate" WITH KEY = "plant"')
    batches = dashboard.QueryVariable("batch").label("Batch").datasource(SOURCE).sort(VariableSort.ALPHABETICAL_DESC)
    batches = batches.query('SHOW TAG VALUES FROM "estimate" WITH KEY = "batch" WHERE "plant" =~ /^$plant$/')
    links = dashboard.DashboardLink("NeuroTwin").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    made = (
        dashboard.Dashboard(f"NeuroTwin: {title}")
        .uid(f"neurotwin-{name}")
        .tags([TAG])
        .time(str(content.get("from", "now-7d")), str(content.get("to", "now")))
        .timezone("utc")
        .refresh("30s")
        .readonly()
        .with_variable(plants.refresh(VariableRefresh.ON_DASHBOARD_LOAD))
        .with_variable(batches.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).multi(True).include_all(True))
        .link(links.as_dropdown(False).keep_time(True).include_vars(True))
    )
    for caption, measurement, field, colour in NOTED:
        made = made.annotation(_Annotation(caption, texts(measurement, field), field, colour))
    return made


class _Annotation(builder.Builder[AnnotationQuery]):
    """What is written on every trend; Grafana keeps InfluxDB's query and its text's column beside the known fields."""

    def __init__(self, name: str, query: str, column: str, colour: str) -> None:
        self._made = InfluxAnnotation(name=name, datasource=SOURCE, icon_color=colour, enable=True)
        self._made.query, self._made.text_column = query, column

    def build(self) -> AnnotationQuery:
        """The annotation."""
        return self._made


class InfluxAnnotation(AnnotationQuery):
    """An annotation from InfluxQL."""

    query: str = ""
    text_column: str = ""

    def to_json(self) -> dict[str, object]:
        """As Grafana stores it."""
        own = {"query": self.query, "textColumn": self.text_column, "tagsColumn": "", "timeEndColumn": ""}
        return {**super().to_json(), **own, "titleColumn": "", "fromAnnotations": True}


def _variables(content: Content, *roles: str) -> Iterator[Mapping[str, Any]]:
    yield from (v for v in content["variables"] if v["role"] in roles)


def _caption(variable: Mapping[str, Any]) -> str:
    return str(variable.get("text") or variable["name"])


def _overview(content: Content) -> Dashboard:
    made = _begun("overview", "overview", content).with_panel(panels.words("Phase", "alarm", "phase"))
    for variable in list(_variables(content, "measured"))[:3]:
        made = made.with_panel(panels.figure(_caption(variable), variable["unit"], "process", variable["name"]))
    made = made.with_panel(panels.figure("Stability", "", "neurocore", "stability"))
    made = made.with_panel(panels.figure("Novelty", "", "neurocore", "novelty"))
    made = made.with_panel(panels.figure("Alarms standing", "", "alarm", "active_count", 0))
    assayed = {v["name"] for v in _variables(content, "assayed")}
    for state in [s for s in content["states"] if s["name"] in assayed][:3]:
        made = made.with_panel(panels.estimated(state["name"], state["unit"], state["name"], True).span(THIRD))
    for variable in _variables(content, "measured"):
        made = made.with_panel(_measured(variable, THIRD))
    return made.build()


def _measured(variable: Mapping[str, Any], span: int) -> Any:
    return panels.trend(_caption(variable), variable["unit"], [mean("value", "process", variable["name"])], span)


def _unit(content: Content) -> Dashboard:
    made = _begun("unit", "unit control", content).with_panel(panels.words("Phase", "alarm", "phase"))
    for variable in _variables(content, "manipulated"):
        name = variable["name"]
        traces = [mean("value", "process", name), mean("setpoint", "setpoint", name)]
        panel = panels.trend(_caption(variable), variable["unit"], traces)
        dashed = {"lineStyle": {"fill": "dash", "dash": [8, 8]}}
        made = made.with_panel(panels.marked(panel, "setpoint", panels.SETPOINT, **dashed))
    for variable in _variables(content, "measured"):
        made = made.with_panel(_measured(variable, HALF))
    every = [mean(_caption(v), "quality", v["name"]) for v in _variables(content, "measured", "manipulated")]
    return made.with_panel(panels.trend("Quality of the readings", "", every, WHOLE, QUALITY)).build()


def _twin(content: Content) -> Dashboard:
    made = _begun("twin", "twin", content)
    assayed = {v["name"] for v in _variables(content, "assayed")}
    for state in content["states"]:
        made = made.with_panel(panels.estimated(state["name"], state["unit"], state["name"], state["name"] in assayed))
    factors = [mean(name, "estimate", name) for name in content["multipliers"]]
    made = made.with_panel(panels.trend("Rates as factors of the model's", "", factors, HALF, "1: as the model says"))
    surprise = [Trace("per reading", "estimate", "mean(nis) / mean(nis_dof)")]
    told = "Normalised innovation squared per reading; 1 when the twin is as sure as it should be."
    return made.with_panel(panels.trend("Surprise", "", surprise, HALF, told)).build()


def _neurocore(content: Content) -> Dashboard:
    made = _begun("neurocore", "NeuroCore", content)
    learned = [mean(name, "neurocore", name) for name in content["learned"]]
    made = made.with_panel(panels.trend("Learned correction, as a factor", "", learned, HALF, "At the present state."))
    level = [mean("novelty", "neurocore", "novelty"), mean("stability", "neurocore", "stability")]
    made = made.with_panel(panels.trend("Novelty and stability", "", level))
    shares = [mean(signal, "neurocore", f"contribution_{signal}") for signal in content["signals"]]
    made = made.with_panel(panels.trend("What the novelty comes from", "", shares, WHOLE, "Share of each signal."))
    spikes = [mean("spikes a scan", "neurocore", "spikes"), mean("units at work", "neurocore", "units_active")]
    made = made.with_panel(panels.trend("Spikes", "", spikes))
    weights = [mean("weights, rms", "neurocore", "weight_rms")]
    made = made.with_panel(panels.trend("Size of the weights", "", weights))
    used = [mean("share of weights in use", "neurocore", "weights_used"), mean("learned", "neurocore", "learned")]
    return made.with_panel(panels.trend("Learning", "", used, WHOLE, "learned: share of scans with a lesson")).build()


def _pharmacoloop(content: Content) -> Dashboard:
    made = _begun("pharmacoloop", "PharmacoLoop", content)
    gain = [mean(name, "suggestion", name) for name in ("gain_high", "gain", "gain_low")]
    panel = panels.trend("Predicted gain at the end of the batch", "", gain, HALF, "Median and 80 % interval.")
    panel = panels.marked(panel, "gain_high", panels.BAND, fillBelowTo="gain_low", lineWidth=0, fillOpacity=25)
    made = made.with_panel(panels.marked(panel, "gain_low", panels.BAND, lineWidth=0))
    state = content["objective"]
    traces = [
        mean("predicted 12 h before, with the suggestion", "suggestion", f"{state}_predicted"),
        mean("forecast 12 h before, unchanged", "estimate", f"{state}_forecast"),
        mean("actual (estimate)", "estimate", state),
    ]
    made = made.with_panel(panels.trend(f"Predicted and actual effect on {state}", "", traces))
    for variable in _variables(content, "manipulated"):
        name = variable["name"]
        both = [mean("suggested", "suggestion", name), mean("in force", "setpoint", name)]
        made = made.with_panel(panels.trend(_caption(variable), variable["unit"], both))
    made = made.with_panel(panels.listed("Suggestions", rows("suggestion", "id", "kind", "reason")))
    made = made.with_panel(panels.listed("Why there is none", rows("suggestion", "abstention"), HALF))
    answers = rows("alarm", "written", "refused", "accept", "reject", "modify", "mode")
    return made.with_panel(panels.listed("Accepted, refused, written", answers, HALF)).build()


def _alarms(content: Content) -> Dashboard:
    made = _begun("alarms", "alarms", content)
    made = made.with_panel(panels.figure("Standing", "", "alarm", "active_count", 0))
    made = made.with_panel(panels.figure("Not acknowledged", "", "alarm", "unacknowledged_count", 0))
    counts = [
        Trace("standing", "alarm", "max(active_count)"),
        Trace("not acknowledged", "alarm", "max(unacknowledged_count)"),
    ]
    made = made.with_panel(panels.trend("Alarms over time", "", counts, WHOLE))
    made = made.with_panel(panels.listed("Alarms", rows("alarm", "alarm")))
    return made.with_panel(panels.listed("What the loop said", rows("alarm", "loop", "mode", "connected"))).build()


def _historian(content: Content) -> Dashboard:
    made = _begun("historian", "historian health", content)
    made = made.with_panel(panels.figure("Waiting for InfluxDB", "", "historian", "outbox_pending", 0))
    made = made.with_panel(panels.figure("Refused by InfluxDB", "", "historian", "dead_letters", 0))
    made = made.with_panel(panels.figure("Intervals dropped", "", "historian", "dropped", 0))
    made = made.with_panel(panels.figure("Size", "MB", "historian", "size_mb", 1))
    waiting = [mean("rows", "historian", "outbox_pending")]
    made = made.with_panel(panels.trend("Rows that wait for InfluxDB", "", waiting))
    made = made.with_panel(panels.trend("Size of the file", "MB", [mean("size", "historian", "size_mb")]))
    arrived = [Trace("scans", "estimate", "count(nis)", "0")]
    made = made.with_panel(
        panels.trend("Scans that arrived", "", arrived, WHOLE, "A hole is an interval without data.")
    )
    every = [mean(_caption(v), "quality", v["name"]) for v in _variables(content, "measured", "manipulated")]
    return made.with_panel(panels.trend("Quality of the readings", "", every, WHOLE, QUALITY)).build()


def _course(course: Content, content: Content) -> Dashboard:
    """Of what has no vessel: a score, the channels that it is made of, and what is suggested."""
    made = _begun(course["name"], course["title"], content)
    made = made.with_panel(panels.figure("Stability score", "", "neurocore", "stability"))
    made = made.with_panel(panels.figure("Novelty", "", "neurocore", "novelty"))
    score = [mean("score", "neurocore", "stability"), mean("novelty", "neurocore", "novelty")]
    made = made.with_panel(panels.trend("Stability score", "", score, WHOLE))
    for channel, unit in course["channels"].items():
        made = made.with_panel(panels.trend(channel, unit, [mean("reported", "process", channel)], THIRD))
    reviews = rows("suggestion", "kind", "reason")
    return made.with_panel(panels.listed("Reviews suggested", reviews, WHOLE, course["note"])).build()
