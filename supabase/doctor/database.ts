/** What the database tells of itself: the schema, extensions, jobs, Vault and the way from there to the functions. */
import {
  type DeploymentFindings,
  deploymentFindings as findingsSchema,
} from "../../shared/catalog/upkeep_results.ts";
import { neededSchema } from "../../shared/catalog/require_schema.ts";
import { type Item, ok, unknown, wrong } from "./item.ts";
import { ask, said, type Target } from "./target.ts";

const push = "npx -y supabase@2.117.0 db push";

/** The findings, or the item that says why there are none. */
export async function readFindings(
  target: Target,
  ping: number | null = null,
): Promise<DeploymentFindings | Item> {
  const answer = await ask(target, `${target.url}/rest/v1/rpc/deployment_findings`, {
    method: "POST",
    json: { p_ping: ping },
  });
  if (answer.status === 404 && /^PGRST20/.test(answer.json?.code ?? "")) {
    return wrong("schema", "the catalog's functions are not in the database", push);
  }
  const read = findingsSchema.safeParse(answer.json);
  if (answer.status === 200 && read.success) return read.data;
  return unknown("schema", `the database did not tell: ${said(answer)}`);
}

/** The number by which functions know whether the schema is new enough for them; null where it isn't told. */
export async function askSchemaVersion(target: Target): Promise<number | null> {
  const url = `${target.url}/rest/v1/rpc/schema_version`;
  const { json } = await ask(target, url, { method: "POST", json: {} });
  return typeof json === "number" ? json : null;
}

/**
 * @param versions of the migrations in this checkout
 * @param version what askSchemaVersion found
 */
export function judgeSchema(
  { migrations }: DeploymentFindings,
  versions: string[],
  version: number | null,
): Item {
  if (version === null || version < neededSchema) {
    const what = version === null ? "has no version" : `has version ${version}`;
    return wrong("schema", `it ${what}, the functions of this checkout need ${neededSchema}`, push);
  }
  if (migrations === null) {
    return unknown("schema", "no record of migrations is kept there", push);
  }
  const missing = versions.filter((version) => !migrations.includes(version));
  if (missing.length > 0) {
    return wrong("schema", `${missing.length} migrations are missing: ${missing.join(", ")}`, push);
  }
  const further = migrations.filter((version) => version > versions.at(-1)!);
  return further.length === 0
    ? ok("schema", `version ${version}, all ${versions.length} migrations of this checkout`)
    : ok("schema", `version ${version}, all migrations, and ${further.length} newer ones`);
}

/** Indexes that a cut-off `create index concurrently` left: each row is written to them and no query reads them. */
export function judgeIndexes({ invalid_indexes: invalid }: DeploymentFindings): Item {
  if (invalid === undefined) return unknown("indexes", "the schema does not tell yet", push);
  return invalid.length === 0 ? ok("indexes", "all valid") : wrong(
    "indexes",
    `${invalid.join(", ")} ${are(invalid)} not valid: building was cut off`,
    invalid.map((name) => `reindex index concurrently ${name};`).join(" "),
  );
}

/** Extensions without which nothing runs by itself. */
export function judgeExtensions({ extensions, postgres }: DeploymentFindings): Item {
  const missing = Object.keys(extensions).filter((name) => extensions[name] === null);
  if (missing.length > 0) {
    const lines = missing.map((name) => `create extension ${name};`).join(" ");
    return wrong("extensions", `${missing.join(", ")} ${are(missing)} missing`, lines);
  }
  const have = Object.entries(extensions).map(([name, version]) => `${name} ${version}`);
  return ok("extensions", `PostgreSQL ${postgres}, ${have.join(", ")}`);
}

/** @param expected names and schedules of this checkout's jobs */
export function judgeJobs(
  { jobs, now }: DeploymentFindings,
  expected: Map<string, string>,
): Item {
  if (jobs === null) return wrong("cron", "pg_cron is not there", "create extension pg_cron;");
  const known = new Map(jobs.map((job) => [job.name, job]));
  const missing = [...expected.keys()].filter((name) => !known.has(name));
  if (missing.length > 0) {
    const line = missing.map((name) =>
      `select cron.schedule('${name}', '${expected.get(name)}', …);`
    );
    return wrong(
      "cron",
      `${missing.join(", ")} ${are(missing)} not scheduled`,
      `${line.join(" ")} as in supabase/schemas/upkeep/schedule_jobs.sql`,
    );
  }
  const off = jobs.filter((job) => !job.active).map((job) => job.name);
  if (off.length > 0) {
    return wrong(
      "cron",
      `${off.join(", ")} ${are(off)} switched off`,
      `update cron.job set active = true where jobname in (${quoted(off)});`,
    );
  }
  // How often they run is the operator's to choose: told, not blamed.
  const changed = jobs.filter(({ name, schedule }) =>
    expected.has(name) && expected.get(name) !== schedule
  ).map(({ name, schedule }) => `${name} runs '${schedule}' in place of '${expected.get(name)}'`);
  const failing = jobs.filter((job) => expected.has(job.name) && job.last_status === "failed");
  if (failing.length > 0) {
    const [{ name, last_message: message }] = failing;
    return wrong(
      "cron",
      `${failing.map((job) => job.name).join(", ")} failed last; ${name}: ${message?.trim()}`,
      `select * from cron.job_run_details order by runid desc limit 20;`,
    );
  }
  const tick = known.get("sediment_tick")?.last_started_at;
  if (!tick) {
    return unknown("cron", "sediment_tick has not run yet", "look again in a minute");
  }
  const silent = (Date.parse(now) - Date.parse(tick)) / 1000;
  if (silent > 300) {
    return wrong(
      "cron",
      `sediment_tick last ran ${Math.round(silent)} s ago, though it is due each 30 s`,
      "restart the database (Project settings → General): pg_cron's worker is not running",
    );
  }
  return ok(
    "cron",
    [
      `${expected.size} jobs, none failed last, sediment_tick ${Math.round(silent)} s ago`,
      ...changed,
    ].join("; "),
  );
}

/** Whether what Vault holds leads to the functions: told by a ping on the way that cron's take. */
export async function checkVault(target: Target, found: DeploymentFindings): Promise<Item> {
  const { secrets } = found;
  if (secrets === null) {
    return wrong("vault", "Vault is not there", "create extension supabase_vault;");
  }
  const values: Record<string, string> = {
    sediment_functions_url: `${target.url}/functions/v1`,
    sediment_cron_key: "sb_secret_…",
  };
  const bad = Object.keys(secrets).filter((name) => secrets[name].finding !== null);
  if (bad.length > 0) {
    return wrong(
      "vault",
      bad.map((name) => `${name} ${secrets[name].finding}`).join(", "),
      bad.map((name) =>
        secrets[name].there
          ? `select vault.update_secret(id, '${
            values[name]
          }') from vault.secrets where name = '${name}';`
          : `select vault.create_secret('${values[name]}', '${name}');`
      ).join(" "),
    );
  }
  const sent = await ask(target, `${target.url}/rest/v1/rpc/ping_deployment`, {
    method: "POST",
    json: {},
  });
  if (sent.status !== 200 || typeof sent.json !== "number") {
    return unknown("vault", `no ping was sent: ${said(sent)}`);
  }
  for (let tries = 0; tries < 40; tries++) {
    const seen = await readFindings(target, sent.json);
    if ("state" in seen) return { ...seen, name: "vault" };
    if (seen.ping !== null) return judgePing(seen.ping, values);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return unknown(
    "vault",
    "pg_net has not answered within 10 s",
    "select * from net.http_request_queue; restart the database when it grows",
  );
}

function judgePing(
  ping: NonNullable<DeploymentFindings["ping"]>,
  values: Record<string, string>,
): Item {
  const update = (name: string) =>
    `select vault.update_secret(id, '${values[name]}') from vault.secrets where name = '${name}';`;
  const { status_code: status, ours, error, timed_out: late } = ping;
  if (status === 200 && ours) return ok("vault", "its URL and key reach the functions");
  if (status === 401 || status === 403) {
    return wrong(
      "vault",
      `the functions answer ${status} to sediment_cron_key`,
      `${update("sediment_cron_key")} with a secret key that the project has`,
    );
  }
  const what = status === null ? error ?? (late ? "a time-out" : "nothing") : String(status);
  return wrong(
    "vault",
    `at sediment_functions_url the ping met ${what}, not the functions`,
    update("sediment_functions_url"),
  );
}

function are(names: string[]): string {
  return names.length === 1 ? "is" : "are";
}

function quoted(names: string[]): string {
  return names.map((name) => `'${name}'`).join(", ");
}
