/** `deno task bench NAME [options]`: the benches by name. */
const benches: Record<string, string> = {
  start: "cold and warm start of the embedded Supabase, memory of its processes",
  merge: "the merge core beside native DuckDB in the same run",
  amplification: "how often each byte is written in a month of uploads, by the planner alone",
  upload: "uploads a second beside a plain PUT of the same bytes",
  queue: "queued partitions drained by four workers",
  uploader: "pending items scanned, enqueued and sent",
};

const [name, ...args] = Deno.args;
if (!name || !(name in benches)) {
  console.error("deno task bench NAME [--json]\n");
  for (const [bench, what] of Object.entries(benches)) {
    console.error(`  ${bench.padEnd(13)} ${what}`);
  }
  Deno.exit(name === undefined || name === "--help" ? 0 : 2);
}
const file = new URL(`./${name}.ts`, import.meta.url);
try {
  await Deno.stat(file);
} catch {
  console.error(`bench ${name}: not written yet`);
  Deno.exit(2);
}
const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", file.pathname, ...args],
}).spawn().status;
Deno.exit(code);
