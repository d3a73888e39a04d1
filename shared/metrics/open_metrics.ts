/**
 * OpenMetrics text: https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md, "Text format".
 */

/** One line. */
export interface Sample {
  labels?: Record<string, string>;
  value: number;
}

/** A bucket of a histogram as it was counted: what fell into it and not into those below. */
export interface Bucket {
  /** The upper bound, inclusive, as it is written in `le`; `+Inf` for the last. */
  le: string;
  count: number;
  /** Sum of the values that fell into it. */
  sum: number;
}

/** A metric with all of its samples. */
export type MetricFamily =
  & {
    /** Without `_total`. Where there is a unit it is the last part of the name. */
    name: string;
    help: string;
    unit?: "seconds" | "bytes";
  }
  & (
    | { type: "counter" | "gauge"; samples: readonly Sample[] }
    | { type: "histogram"; buckets: readonly Bucket[]; bounds: readonly number[] }
  );

/** The content type of {@link writeOpenMetrics}'s text. */
export const openMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** The text of the families, in their order. */
export function writeOpenMetrics(families: readonly MetricFamily[]): string {
  return families.map(writeFamily).join("") + "# EOF\n";
}

function writeFamily(family: MetricFamily): string {
  const { name, type, help, unit } = family;
  const lines = [`# TYPE ${name} ${type}`];
  if (unit !== undefined) lines.push(`# UNIT ${name} ${unit}`);
  lines.push(`# HELP ${name} ${escape(help)}`);
  if (family.type === "histogram") lines.push(...histogramLines(name, family));
  else {
    const suffix = type === "counter" ? "_total" : "";
    for (const { labels, value } of family.samples) {
      lines.push(`${name}${suffix}${writeLabels(labels)} ${value}`);
    }
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** Buckets are cumulative, and all bounds are there from the first scrape on, so that no series begins above zero. */
function histogramLines(
  name: string,
  { buckets, bounds }: { buckets: readonly Bucket[]; bounds: readonly number[] },
): string[] {
  const lines: string[] = [];
  const counted = (le: string) => buckets.filter((bucket) => bucket.le === le);
  let total = 0;
  for (const le of [...bounds.map(String), "+Inf"]) {
    for (const { count } of counted(le)) total += count;
    lines.push(`${name}_bucket${writeLabels({ le })} ${total}`);
  }
  const sum = buckets.reduce((all, bucket) => all + bucket.sum, 0);
  return [...lines, `${name}_count ${total}`, `${name}_sum ${sum}`];
}

function writeLabels(labels: Record<string, string> = {}): string {
  const written = Object.entries(labels).map(([name, value]) => `${name}="${escape(value, true)}"`);
  return written.length === 0 ? "" : `{${written.join(",")}}`;
}

function escape(text: string, quoted = false): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return quoted ? escaped.replaceAll('"', '\\"') : escaped;
}
