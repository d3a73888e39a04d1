/**
 * `deno task bench console [--size small|full] [--at DIR] [--json]`: what each view of the console costs the database, over the
 * catalog of `bench scale` (small: 20,000 partitions; full: 3 million; --at: where that kept it, or is to find it), and how
 * many bytes its answers have. As an operator, who sees everybody's.
 */
import { parseArgs } from "node:util";
import { median } from "./median.ts";
import { datasetsOf, openCatalog } from "./scale/catalog.ts";

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    size: { type: "string", default: "small" },
    at: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const times = 10;
/** Most milliseconds that a view may take in the database. */
const most = 200;

const dataset = "bench.u(1000)";
/** What each view asks. */
const views: Record<string, string[]> = {
  overview: [
    "public.read_overview(null, 2592000)",
    "public.list_partitions(null, p_state => 'stuck', p_limit => 20)",
  ],
  datasets: ["public.list_datasets(null, 100)"],
  dataset: [
    `public.list_tables(null, ${dataset})`,
    `public.list_partitions(null, ${dataset}, p_state => 'stuck')`,
  ],
  table: [
    `public.list_partitions(null, ${dataset}, 't', p_limit => 200)`,
    `public.list_tables(null, ${dataset})`,
    `public.list_rewrites(null, ${dataset})`,
  ],
  period: [
    `public.list_partitions(null, ${dataset}, 't', p_limit => 1, p_period_tag => 'p3')`,
    `public.list_files(null, ${dataset}, p_table => 't', p_from => 'p3', p_to => 'p3', p_limit => 500)`,
    `public.list_runs(null, ${dataset}, 't', 'p3', p_limit => 20)`,
  ],
  runs: ["public.list_runs(null, p_limit => 50)"],
  "runs that failed": ["public.list_runs(null, p_failed => true, p_limit => 50)"],
  run: [
    "public.run_timeline(null, (select id from public.processing_metrics order by queued_at desc limit 1))",
  ],
  trouble: [
    "public.list_dead_letters(null, null, 200)",
    "public.list_quarantined(null, null, 200)",
  ],
  settings: ["public.read_settings()"],
  "a change of a setting": [`public.change_settings('service_settings', '{"max_workers": 5}')`],
  "a minute's sample": ["sediment.sample_metrics()"],
  "an owner's overview": ["public.read_overview(bench.u(7))"],
  "an owner's month": ["public.read_overview(bench.u(7), 2592000)"],
  "an owner's datasets": ["public.list_datasets(bench.u(7), 100)"],
};

await using catalog = await openCatalog(
  datasetsOf(options.size),
  options.at,
  (text) => options.json || console.error(text),
);
const { sql } = catalog;
let over = false;
for (const [view, questions] of Object.entries(views)) {
  let ms = 0, bytes = 0;
  for (const question of questions) {
    const took: number[] = [];
    for (let n = 0; n <= times; n++) {
      await sql.unsafe("begin");
      const begun = performance.now();
      const [{ answer }] = await sql.unsafe(`select ${question}::text as answer`);
      // the first one makes plans
      if (n > 0) took.push(performance.now() - begun);
      else bytes += answer.length;
      await sql.unsafe("rollback");
    }
    ms += median(took);
  }
  const db_ms = Math.round(ms * 100) / 100;
  over ||= db_ms > most;
  console.log(
    options.json
      ? JSON.stringify({ view, db_ms, bytes })
      : `${view.padEnd(22)} ${db_ms.toFixed(2).padStart(8)} ms ${String(bytes).padStart(8)} bytes`,
  );
}
if (over) {
  console.error(`a view took over ${most} ms`);
  Deno.exit(1);
}
