/** The platform's own parts: keys, signing keys, PostgREST's limit of rows, the bucket, the wasm in it, clocks. */
import type { DeploymentFindings } from "../../shared/catalog/upkeep_results.ts";
import type { DeploymentAnswer } from "../../shared/protocol/deployment.ts";
import { wasmKey, wasmModules } from "../../shared/wasm/wasm_modules.ts";
import { type Item, ok, unknown, wrong } from "./item.ts";
import { type Answer, ask, said, type Target } from "./target.ts";

/** The call by which the key is tried, and the limit of rows. */
export function askRows(target: Target): Promise<Answer> {
  return ask(target, `${target.url}/rest/v1/row_limit_probe?select=n`);
}

/** Whether the project answers, and takes the key. */
export function judgeKey(target: Target, rows: Answer): Item {
  if (rows.status === 0) {
    return wrong(
      "key",
      `nothing answers at ${target.url}: ${rows.text}`,
      "--url https://REF.supabase.co",
    );
  }
  if (rows.status === 401 || rows.status === 403) {
    return wrong(
      "key",
      `the project refuses it: ${said(rows)}`,
      "--key with a secret key of Project settings → API keys",
    );
  }
  // a paused project's 540, a gateway without its PostgREST: nobody looked at the key
  if (rows.status >= 500) return unknown("key", `the project does not answer: ${said(rows)}`);
  return ok("key", `${target.url} takes it`);
}

/** PostgREST's max-rows: every answer of ours is one row, so a lower limit touches readers of tables alone. */
export function judgeRows(rows: Answer): Item {
  if (rows.status !== 200 || !Array.isArray(rows.json)) {
    return unknown("max_rows", `the probe was answered ${said(rows)}`);
  }
  const count = rows.json.length;
  if (count < 1000) {
    return wrong(
      "max_rows",
      `of 1,001 rows ${count} come: readers of tables and views miss the rest`,
      "Project settings → Data API → Max rows: 1000",
    );
  }
  return ok("max_rows", count === 1001 ? "1,001 rows came whole" : "an answer has 1,000 rows");
}

/** The keys by which users' tokens are verified: Auth's, and those that the functions know. */
export async function checkSigningKeys(
  target: Target,
  deployment: DeploymentAnswer | null,
): Promise<Item> {
  const answer = await ask(target, `${target.url}/auth/v1/.well-known/jwks.json`);
  const keys = answer.json?.keys;
  if (!Array.isArray(keys)) return unknown("jwks", `Auth did not tell its keys: ${said(answer)}`);
  if (keys.length === 0) {
    return wrong(
      "jwks",
      "Auth signs users' tokens with the legacy secret, which the functions can't verify",
      "Project settings → JWT keys: migrate to signing keys, then rotate",
    );
  }
  if (deployment === null) {
    return unknown("jwks", `Auth has ${keys.length}; the functions did not tell`);
  }
  const { source, count, kids } = deployment.signing_keys;
  if (count === 0) {
    return wrong(
      "jwks",
      `Auth has ${keys.length} keys, the functions know none (${source})`,
      "npx -y supabase@2.117.0 secrets unset SUPABASE_JWKS, or set it to Auth's jwks.json",
    );
  }
  if (count === null) {
    return wrong(
      "jwks",
      `the functions could not fetch the keys from ${source}`,
      "set SUPABASE_JWKS_URL to an address of Auth's jwks.json that the functions reach",
    );
  }
  // A copy of before a rotation has as many keys, and others.
  const unknownThere = kids && keys.filter(({ kid }) => kid !== undefined && !kids.includes(kid));
  if (unknownThere && unknownThere.length > 0) {
    const named = unknownThere.map(({ kid }) => kid).join(", ");
    return wrong(
      "jwks",
      `the functions don't know Auth's ${named} (${source})`,
      "npx -y supabase@2.117.0 secrets unset SUPABASE_JWKS, or set it to Auth's jwks.json",
    );
  }
  return ok("jwks", `Auth has ${keys.length}, the functions know ${count} (${source})`);
}

/** The bucket, where the objects are in Supabase Storage. */
export function judgeBucket(
  { bucket, storage_bucket: name = "sediment" }: DeploymentFindings,
  deployment: DeploymentAnswer | null,
): Item {
  if (deployment !== null && deployment.store.kind !== "supabase") {
    const { fault, bucket, kind } = deployment.store;
    return fault === null ? ok("bucket", `the functions reach ${bucket} by ${kind}`) : wrong(
      "bucket",
      `the functions don't reach ${bucket}: ${fault}`,
      "check the SEDIMENT_S3_… variables",
    );
  }
  if (deployment?.store.fault) {
    return wrong(
      "bucket",
      `the functions don't reach it: ${deployment.store.fault}`,
      "see the items key and bucket; the functions' SUPABASE_URL and SUPABASE_SECRET_KEYS",
    );
  }
  if (deployment !== null && deployment.store.bucket !== name) {
    const used = deployment.store.bucket;
    return wrong(
      "bucket",
      `the functions keep objects in ${used}, and the catalog lets readers into ${name}`,
      `update public.service_settings set storage_bucket = '${used}' where id; or SEDIMENT_BUCKET`,
    );
  }
  if (bucket === null) {
    return wrong(
      "bucket",
      `there is no bucket ${name}`,
      `insert into storage.buckets (id, name, public, file_size_limit) values ('${name}', '${name}', false, 52428800);`,
    );
  }
  if (bucket.public) {
    return wrong(
      "bucket",
      "it is public: whoever knows a key reads the object",
      `update storage.buckets set public = false where id = '${name}';`,
    );
  }
  const needed = deployment?.limits.max_direct_bytes ?? 52_428_800;
  if (bucket.file_size_limit !== null && bucket.file_size_limit < needed) {
    return wrong(
      "bucket",
      `objects may have ${bucket.file_size_limit} bytes there, uploads ${needed}`,
      `update storage.buckets set file_size_limit = ${needed} where id = '${name}';`,
    );
  }
  return ok("bucket", `private, ${bucket.file_size_limit ?? "no"} bytes an object at most`);
}

/** The modules that no bundle holds. */
export async function checkWasm(
  target: Target,
  deployment: DeploymentAnswer | null,
): Promise<Item> {
  const mend = "npx -y deno@2.9.6 task deploy:wasm";
  if (deployment?.missing_wasm) {
    const missing = deployment.missing_wasm;
    if (missing.length > 0) return wrong("wasm", `the functions miss ${missing.join(", ")}`, mend);
    if (deployment.build === "source") {
      return ok("wasm", "the functions run in a checkout that has it");
    }
  }
  if (deployment !== null && deployment.store.kind !== "supabase") {
    return deployment.missing_wasm === null
      ? unknown("wasm", "the functions could not ask their store")
      : ok("wasm", "the functions find it in their store");
  }
  const missing: string[] = [];
  for (const module of Object.values(wasmModules)) {
    const key = wasmKey(module);
    const answer = await ask(target, `${target.url}/storage/v1/object/info/sediment/${key}`);
    if (answer.status === 200) continue;
    if (!/not.?found/i.test(answer.text)) return unknown("wasm", `Storage said ${said(answer)}`);
    missing.push(key);
  }
  return missing.length > 0
    ? wrong("wasm", `${missing.join(", ")} is not in the bucket`, mend)
    : ok("wasm", `${Object.keys(wasmModules).length} modules are in the bucket`);
}

/** Seconds by which clocks may be apart: tokens of a clock ahead are refused as issued in the future. */
const mostApart = 5;

/** The clocks of the database and of the functions beside this machine's. */
export function judgeClocks(clocks: { name: string; time: string; at: number }[]): Item {
  if (clocks.length === 0) return unknown("clocks", "none was told");
  const apart = clocks.map(({ name, time, at }) => ({
    name,
    seconds: (Date.parse(time) - at) / 1000,
  }));
  const told = apart.map(({ name, seconds }) => `${name} ${seconds.toFixed(1)} s`).join(", ");
  if (apart.some(({ seconds }) => Math.abs(seconds) > mostApart)) {
    // When all are off by the same, it is this machine's that is.
    const spread = Math.max(...apart.map(({ seconds }) => seconds)) -
      Math.min(...apart.map(({ seconds }) => seconds));
    return wrong(
      "clocks",
      `against this machine's: ${told}`,
      apart.length > 1 && spread <= mostApart
        ? "set this machine's clock (NTP)"
        : "set the clock (NTP) of the one that differs",
    );
  }
  return ok("clocks", `against this machine's: ${told}`);
}
