// What a dashboard of ours must be: Grafana's published types, as the JSON that it reads, with nothing beside them.

import type * as grafana from "@grafana/schema";
import type * as raw from "@grafana/schema/dist/esm/raw/dashboard/x/dashboard_types.gen.js";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.js";
import type * as timeline from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen.js";
import type * as table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.js";
import type * as timeseries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.js";

// In JSON a member of an enumeration of texts is the text itself.
type Json<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Json<T[K]> } : T;

// Of InfluxDB's plugin, which publishes no schema.
interface InfluxQuery extends grafana.DataQuery {
  alias: string;
  query: string;
  rawQuery: true;
  resultFormat: "time_series" | "table";
}

interface Annotation extends raw.AnnotationQuery {
  query: string;
  fromAnnotations: true;
  tagsColumn: string;
  textColumn: string;
  timeEndColumn: string;
  titleColumn: string;
}

type Property<Custom> = keyof raw.FieldConfig | `custom.${keyof Custom & string}`;

// A panel's options are merged with the defaults of its plugin, so each may be left out.
interface Of<Type extends string, Options, Custom>
  extends Omit<raw.Panel, "type" | "options" | "fieldConfig" | "targets"> {
  type: Type;
  options: Partial<Options>;
  targets: InfluxQuery[];
  fieldConfig: {
    defaults: Omit<raw.FieldConfig, "custom"> & { custom?: Custom };
    overrides: { matcher: raw.MatcherConfig; properties: { id: Property<Custom>; value?: unknown }[] }[];
  };
}

type Panel =
  | Of<"stat", stat.Options, {}>
  | Of<"state-timeline", timeline.Options, timeline.FieldConfig>
  | Of<"table", table.Options, table.FieldConfig>
  | Of<"timeseries", timeseries.Options, timeseries.FieldConfig>;

interface Dashboard extends Omit<raw.Dashboard, "panels" | "annotations"> {
  panels: Panel[];
  annotations: { list: Annotation[] };
}

export type Dashboards = Record<string, Json<Dashboard>>;
