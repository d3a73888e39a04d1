/** `deno task bench NAME [options]`: the benches by name. */
import { runNamed } from "../support/run_named.ts";

const bench = (name: string, what: string) => ({
  file: new URL(`./${name}.ts`, import.meta.url),
  what,
});

await runNamed("deno task bench NAME [--json]", {
  start: bench("start", "cold and warm start of the embedded Supabase, memory of its processes"),
  merge: bench("merge", "the merge core beside native DuckDB in the same run"),
  amplification: bench(
    "amplification",
    "how often each byte is written in a month of uploads, by the planner alone",
  ),
  upload: bench("upload", "uploads a second beside a plain PUT of the same bytes"),
  queue: bench("queue", "queued partitions drained by four workers"),
  reader: bench("reader", "tables read to Arrow beside DuckDB and hyparquet"),
  scale: bench(
    "scale",
    "calls in a catalog and in one ten times as large, and many partitions settling",
  ),
  console: bench("console", "what each view of the console costs the database"),
  lake: bench("lake", "publications to the lake, and DuckDB's attaching to it and first query"),
  tenants: bench("tenants", "eight honest users beside a hostile one, attack by attack"),
  uploader: bench("uploader", "pending items scanned, enqueued and sent"),
}, Deno.args);
