/** What a real Prometheus (2.42, Debian's) scrapes of a stack, and what its rules make of it. */
import { strict as assert } from "node:assert";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startStack } from "../../supabase/local/stack.ts";
import { call, signUp, until, uploadForm } from "../support/client.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";

const key = "metrics-key-of-the-test";
const monitoring = fileURLToPath(new URL("../../supabase/monitoring/", import.meta.url));

const missing = ["/usr/bin/prometheus", "/usr/bin/promtool"].find((path) => !existsSync(path));
if (missing) {
  console.log(`skipped: Prometheus: ${missing} is not here (apt-get install prometheus)`);
}

Deno.test({
  name: "Prometheus scrapes what was uploaded, merged and refused, and its rules see what is wrong",
  ignore: missing !== undefined,
}, async () => {
  const folder = await Deno.makeTempDir();
  await using stack = await startStack({
    tickSeconds: 0.3,
    cronSeconds: { sediment_metrics: 0.5 },
    env: { SEDIMENT_METRICS_KEY: key },
  });
  await using prometheus = await startPrometheus(folder, stack.url);

  const user = await signUp(stack, "metrics@example.com");
  const dataset = crypto.randomUUID();
  const files = [0, 1, 2, 3].map((n) => tinyParquet([n]));
  for (const file of files) {
    const { status } = await call(stack, "POST", "/battle-data/upload", {
      headers: user.headers,
      body: uploadForm({ dataset_id: dataset, table: "battles" }, file),
    });
    assert.equal(status, 200);
  }
  const refused = await call(stack, "GET", "/compaction/status/none", { headers: user.headers });
  assert.equal(refused.body.code, "run_not_found");
  const asked = await call(stack, "POST", "/compaction", {
    headers: user.headers,
    json: { datasetId: dataset },
  });
  assert.equal(asked.status, 202);

  const bytes = files.reduce((sum, file) => sum + file.length, 0);
  await prometheus.shows('sum(sediment_uploads_total{outcome="stored"})', 4);
  await prometheus.shows("sum(sediment_upload_bytes_total)", bytes);
  await prometheus.shows('sediment_problems_total{code="run_not_found"}', 1);
  await prometheus.shows('sediment_runs_total{outcome="merged"}', 1);
  await prometheus.shows('sediment_merged_files_total{side="input"}', 4);
  await prometheus.shows('sediment_merged_files_total{side="output"}', 1);
  await prometheus.shows('sediment_merge_lag_seconds_bucket{le="+Inf"}', 1);
  await prometheus.shows("sediment_run_duration_seconds_count", 1);
  await prometheus.shows("sediment_breaker_open", 0);
  await prometheus.shows("sum(sediment_queue_messages)", 0);
  assert.equal(await prometheus.ask('count(sediment_table_size_bytes{table="uploads"} > 8191)'), 1);
});

Deno.test("the rules and the dashboard ask for metrics that are there", async () => {
  const rules = await Deno.readTextFile(`${monitoring}prometheus_rules.yml`);
  const dashboard = JSON.parse(await Deno.readTextFile(`${monitoring}grafana_dashboard.json`));
  const source = await Deno.readTextFile(
    new URL("../../shared/metrics/service_metrics.ts", import.meta.url),
  );
  const there = new Set(
    [...source.matchAll(/name: "(sediment_\w+)"/g)].map(([, name]) => name)
      .concat([...source.matchAll(/gauge\(\s*"(\w+)"/g)].map(([, name]) => `sediment_${name}`)),
  );
  assert.ok(there.size > 25, `${there.size}`);
  const asked = [rules, JSON.stringify(dashboard.panels)].join("\n")
    .matchAll(/\bsediment_\w+/g).map(([name]) => name.replace(/_(total|bucket|count|sum)$/, ""));
  const unknown = [...new Set(asked)].filter((name) => !there.has(name));
  assert.deepEqual(unknown, []);
});

/** Prometheus with our rules, scraping a stack every 250 ms. */
async function startPrometheus(folder: string, url: string) {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  listener.close();
  await Deno.writeTextFile(
    `${folder}/prometheus.yml`,
    `global: { scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms }
rule_files: [${monitoring}prometheus_rules.yml]
scrape_configs:
  - job_name: sediment
    scrape_interval: 1s
    scrape_timeout: 1s
    metrics_path: /functions/v1/compaction/metrics
    authorization: { credentials: ${key} }
    static_configs: [{ targets: ["${new URL(url).host}"] }]
`,
  );
  const check = await new Deno.Command("/usr/bin/promtool", {
    args: ["check", "config", `${folder}/prometheus.yml`],
    stdout: "piped",
    stderr: "piped",
  }).output();
  assert.ok(check.success, new TextDecoder().decode(check.stderr));
  const process = new Deno.Command("/usr/bin/prometheus", {
    args: [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();

  /** The value of a query that gives one. */
  async function ask(query: string): Promise<number | undefined> {
    const response = await fetch(
      `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`,
    ).catch(() => undefined);
    if (response === undefined || !response.ok) {
      await response?.body?.cancel();
      return undefined;
    }
    const { data } = await response.json();
    assert.ok(data.result.length <= 1, query);
    return data.result.length === 0 ? undefined : Number(data.result[0].value[1]);
  }
  return {
    ask,
    async shows(query: string, value: number) {
      let last: number | undefined;
      await until(`${query} to be ${value}`, 60, async () => (last = await ask(query)) === value)
        .catch((error) => {
          throw new Error(`${query} is ${last}, not ${value}`, { cause: error });
        });
    },
    async [Symbol.asyncDispose]() {
      process.kill("SIGTERM");
      await process.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}
