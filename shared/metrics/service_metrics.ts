/** The metrics of a deployment, as its catalog counts them. */
import type { Metrics } from "../catalog/metric_results.ts";
import { version } from "../version.ts";
import type { MetricFamily, Sample } from "./open_metrics.ts";

/** The bounds of sediment.count_run, seconds: how long a run takes, and how long uploads wait for it. */
const runBounds = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const lagBounds = [1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400, 604_800];

/** What a run can end as: sediment.count_run names them. All are there before the first of each has ended. */
const runOutcomes = ["merged", "idle", "joined", "failure", "dlq_failure", "timeout", "fan_out"];
const uploadOutcomes = ["stored", "duplicate", "healed"];

/** The families of {@link Metrics}. */
export function serviceMetrics(metrics: Metrics): MetricFamily[] {
  const counted = (metric: string) => metrics.counters.filter((each) => each.metric === metric);
  /** Samples by label, of the labels that are known beforehand too. */
  const byLabel = (
    metric: string,
    name: string,
    known: string[] = [],
    field: "events" | "amount" = "events",
  ): Sample[] => {
    const there = counted(metric);
    const labels = new Set([...known, ...there.map(({ label }) => label)]);
    return [...labels].map((label) => ({
      labels: { [name]: label },
      value: there.find((each) => each.label === label)?.[field] ?? 0,
    }));
  };
  const buckets = (metric: string) =>
    counted(metric).map(({ label, events, amount }) => ({ le: label, count: events, sum: amount }));
  const one = (value: number): Sample[] => [{ value }];

  return [
    {
      name: "sediment_build",
      type: "gauge",
      help: "1, with the version of the functions.",
      samples: [{ labels: { version }, value: 1 }],
    },
    {
      name: "sediment_uploads",
      type: "counter",
      help: "Uploads that were acknowledged, by what they were.",
      samples: byLabel("uploads", "outcome", uploadOutcomes),
    },
    {
      name: "sediment_upload_bytes",
      type: "counter",
      unit: "bytes",
      help: "Their bytes.",
      samples: byLabel("uploads", "outcome", uploadOutcomes, "amount"),
    },
    {
      name: "sediment_problems",
      type: "counter",
      help:
        "Problems that the functions answered, by code; each isolate tells of its own now and then.",
      samples: byLabel("problems", "code"),
    },
    {
      name: "sediment_runs",
      type: "counter",
      help: "Runs that have ended, by what came of them.",
      samples: byLabel("runs", "outcome", runOutcomes),
    },
    {
      name: "sediment_run_duration_seconds",
      type: "histogram",
      unit: "seconds",
      help: "From a run's first claim to its end.",
      buckets: buckets("run_seconds"),
      bounds: runBounds,
    },
    {
      name: "sediment_merge_lag_seconds",
      type: "histogram",
      unit: "seconds",
      help: "From when a run was asked for to the end of its merges.",
      buckets: buckets("merge_lag_seconds"),
      bounds: lagBounds,
    },
    {
      name: "sediment_merged_files",
      type: "counter",
      help: "Files that merges have replaced (input) and made (output).",
      samples: byLabel("merged_files", "side", ["input", "output"]),
    },
    {
      name: "sediment_merged_bytes",
      type: "counter",
      unit: "bytes",
      help: "Their bytes: output by uploaded bytes is the write amplification.",
      samples: byLabel("merged_files", "side", ["input", "output"], "amount"),
    },
    {
      name: "sediment_quarantines",
      type: "counter",
      help: "Files that runs have put into quarantine.",
      samples: one(counted("quarantined_files")[0]?.events ?? 0),
    },
    ...gauges(metrics),
  ];
}

function gauges(metrics: Metrics): MetricFamily[] {
  const gauge = (
    name: string,
    help: string,
    value: number | Sample[],
    unit?: "seconds" | "bytes",
  ): MetricFamily => ({
    name: `sediment_${name}`,
    type: "gauge",
    help,
    ...(unit === undefined ? {} : { unit }),
    samples: typeof value === "number" ? [{ value }] : value,
  });
  const queues = (field: "messages" | "due" | "oldest_due_seconds") =>
    metrics.queues.map((each) => ({ labels: { queue: each.queue }, value: each[field] }));
  return [
    gauge("queue_messages", "Messages of a queue, up to 10000.", queues("messages")),
    gauge("queue_due_messages", "Of them those that are due, up to 10000.", queues("due")),
    gauge(
      "queue_oldest_due_seconds",
      "For how long the oldest of them is due.",
      queues("oldest_due_seconds"),
      "seconds",
    ),
    gauge(
      "debt_partitions",
      "Partitions with something left to merge, up to 10000.",
      metrics.debt.partitions,
    ),
    gauge(
      "debt_oldest_seconds",
      "How long ago the oldest of that came.",
      metrics.debt.oldest_seconds,
      "seconds",
    ),
    gauge(
      "due_partitions",
      "Partitions that are due and have no message yet, up to 10000.",
      metrics.due_partitions,
    ),
    gauge(
      "dead_partitions",
      "Partitions that were given up with debt, up to 10000.",
      metrics.dead_partitions,
    ),
    gauge("workers_busy", "Leases that workers hold.", metrics.leases),
    gauge("workers_max", "max_workers.", metrics.max_workers),
    gauge("breaker_open", "1 while claims are stopped.", Number(metrics.breaker_open)),
    gauge(
      "incident_open",
      "1 while the incident of that name is open.",
      metrics.incidents.map(({ name, open }) => ({ labels: { name }, value: Number(open) })),
    ),
    gauge("dead_letters_open", "Runs that were given up, up to 10000.", metrics.dead_letters),
    gauge("files_quarantined", "Files in quarantine, up to 10000.", metrics.quarantined_files),
    gauge("files_lost", "Files that were looked for in vain, up to 10000.", metrics.lost_files),
    gauge("deletions_open", "Deletions that are being carried out.", metrics.deletions),
    gauge("alerts_pending", "Alerts that were not sent yet.", metrics.alerts_pending),
    gauge("store_findings", "Objects that are not as the catalog says.", metrics.store_findings),
    ...(metrics.lake === undefined ? [] : [
      gauge("lake_files", "Files that the lake shows, up to 10000.", metrics.lake.files),
      gauge("lake_files_left_out", "Files that it leaves out, up to 10000.", metrics.lake.left_out),
      gauge(
        "lake_lag_seconds",
        "How long ago the oldest commit was made that the lake does not show yet.",
        metrics.lake.lag_seconds,
        "seconds",
      ),
    ]),
    gauge(
      "objects",
      "Objects of the catalog by state: stored is estimated, the others are counted up to 10000.",
      metrics.objects.map(({ state, objects }) => ({ labels: { state }, value: objects })),
    ),
    gauge(
      "table_size_bytes",
      "Tables of the catalog with their indexes.",
      metrics.tables.map(({ table, bytes }) => ({ labels: { table }, value: bytes })),
      "bytes",
    ),
    gauge(
      "table_rows",
      "Their rows, as PostgreSQL estimates them.",
      metrics.tables.map(({ table, rows }) => ({ labels: { table }, value: rows })),
    ),
  ];
}
