/** Deployments that are broken on purpose, each in one way, and what doctor says of them. */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import { exportJWK, generateKeyPair } from "jose";
import postgres from "postgres";
import { wasmKey, wasmModules } from "../../shared/wasm/wasm_modules.ts";
import { createSupabaseStore } from "../../shared/storage/supabase_store.ts";
import { type Bundle, bundleFunction, functionNames } from "../../supabase/deploy/bundle.ts";
import { deployWasm } from "../../supabase/deploy/wasm.ts";
import { checkup } from "../../supabase/doctor/checkup.ts";
import { readExpected } from "../../supabase/doctor/expected.ts";
import { startDeployment } from "../deploy/deployment.ts";
import { eventually } from "../support/eventually.ts";

/** A way to break, and to mend, a deployment; `item` is the one that must name it. */
interface Breakage {
  name: string;
  item: string;
  /** Of what is found. */
  words: RegExp;
  sql?: string;
  undo?: string;
  /** The functions' environment. */
  env?: Record<string, string>;
  intercept?: (name: string) => Response | undefined;
  /** Looks with another key, or for other sources. */
  key?: string;
  build?: string;
  wasm?: boolean;
  oldFunction?: string;
  /** Other items that can't be well while this is broken. */
  also?: string[];
}

const vault = (name: string, value: string) =>
  `select vault.update_secret(id, '${value}') from vault.secrets where name = '${name}'`;

const generateKeys = async () => {
  const { publicKey } = await generateKeyPair("ES256", { extractable: true });
  return await exportJWK(publicKey);
};

const breakages: Breakage[] = [
  {
    name: "a secret key of another project",
    item: "key",
    words: /refuses it/,
    key: "sb_secret_of_another_project",
  },
  {
    name: "a migration that was not pushed",
    item: "schema",
    words: /1 migrations are missing: 2\d{13}/,
    sql: `create table kept as select * from supabase_migrations.schema_migrations;
      delete from supabase_migrations.schema_migrations where version =
        (select max(version) from supabase_migrations.schema_migrations)`,
    undo: `insert into supabase_migrations.schema_migrations select * from kept
      on conflict do nothing; drop table kept`,
  },
  {
    name: "an index whose building was cut off",
    item: "indexes",
    words: /public\.objects_open is not valid/,
    sql: `update pg_index set indisvalid = false where indexrelid = 'objects_open'::regclass`,
    undo: `update pg_index set indisvalid = true where indexrelid = 'objects_open'::regclass`,
  },
  {
    name: "an extension that was dropped",
    item: "extensions",
    words: /pg_net is missing/,
    sql: `update pg_extension set extname = 'not_pg_net' where extname = 'pg_net'`,
    undo: `update pg_extension set extname = 'pg_net' where extname = 'not_pg_net'`,
  },
  {
    name: "a cron job that was unscheduled",
    item: "cron",
    words: /sediment_sweep is not scheduled/,
    sql: `update cron.job set jobname = 'kept_sweep' where jobname = 'sediment_sweep'`,
    undo: `update cron.job set jobname = 'sediment_sweep' where jobname = 'kept_sweep'`,
  },
  {
    name: "a cron job that is switched off",
    item: "cron",
    words: /sediment_vacuum is switched off/,
    sql: `update cron.job set active = false where jobname = 'sediment_vacuum'`,
    undo: `update cron.job set active = true where jobname = 'sediment_vacuum'`,
  },
  {
    name: "a cron job that fails",
    item: "cron",
    words: /sediment_tick failed last.*no_such_function/,
    sql:
      `update cron.job set command = 'select no_such_function()' where jobname = 'sediment_tick'`,
    undo: `update cron.job set command = 'select public.tick()' where jobname = 'sediment_tick'`,
  },
  {
    name: "Vault without the functions' URL",
    item: "vault",
    words: /sediment_functions_url missing/,
    sql: `update vault.secrets set name = 'kept' where name = 'sediment_functions_url'`,
    undo: `update vault.secrets set name = 'sediment_functions_url' where name = 'kept'`,
  },
  {
    name: "a cron key in Vault that the functions don't know",
    item: "vault",
    words: /answer 401 to sediment_cron_key/,
    sql: vault("sediment_cron_key", "sb_secret_of_another_project"),
    undo: vault("sediment_cron_key", "CRON_KEY"),
  },
  {
    name: "a URL in Vault that leads elsewhere",
    item: "vault",
    words: /met 404, not the functions/,
    sql: vault("sediment_functions_url", "PROJECT_URL/functions/v2"),
    undo: vault("sediment_functions_url", "PROJECT_URL/functions/v1"),
  },
  {
    name: "a bucket that the catalog doesn't know of",
    item: "bucket",
    words: /keep objects in sediment, and the catalog lets readers into elsewhere/,
    sql: `update public.service_settings set storage_bucket = 'elsewhere' where id`,
    undo: `update public.service_settings set storage_bucket = 'sediment' where id`,
  },
  {
    name: "a bucket that is public",
    item: "bucket",
    words: /it is public/,
    sql: `update storage.buckets set public = true where id = 'sediment'`,
    undo: `update storage.buckets set public = false where id = 'sediment'`,
  },
  {
    name: "a bucket whose limit is below an upload's",
    item: "bucket",
    words: /1000 bytes there, uploads 52428800/,
    sql: `update storage.buckets set file_size_limit = 1000 where id = 'sediment'`,
    undo: `update storage.buckets set file_size_limit = 52428800 where id = 'sediment'`,
    also: ["upload", "urls", "deletion"],
  },
  {
    name: "a limit of rows below 1,000",
    item: "max_rows",
    words: /of 1,001 rows 100 come/,
    sql: `alter role authenticator set pgrst.db_max_rows = '100'; notify pgrst, 'reload config'`,
    undo: `alter role authenticator reset pgrst.db_max_rows; notify pgrst, 'reload config'`,
  },
  {
    name: "a function that was not deployed",
    item: "functions",
    words: /dead-letter did not answer as ours: 404/,
    intercept: (name) =>
      name === "dead-letter"
        ? Response.json({ code: "NOT_FOUND", message: "not found" }, { status: 404 })
        : undefined,
    also: ["versions"],
  },
  {
    name: "a function that does not boot",
    item: "functions",
    words: /compactor: BOOT_ERROR/,
    intercept: (name) =>
      name === "compactor"
        ? Response.json({ code: "BOOT_ERROR", message: "Function failed to start" }, {
          status: 503,
        })
        : undefined,
    also: ["versions"],
  },
  {
    name: "one function of an older build",
    item: "versions",
    words: /of 2 builds: .*compactor 0123456789ab/,
    oldFunction: "compactor",
  },
  {
    name: "functions of another checkout",
    item: "versions",
    words: /this checkout is fedcba987654/,
    build: "fedcba987654",
  },
  {
    name: "functions with the keys of another project",
    item: "variables",
    words: /refuse the key that the project takes/,
    env: { SUPABASE_SECRET_KEYS: '{"default":"sb_secret_of_another_project"}' },
    also: ["vault", "jwks", "upload", "urls", "deletion"],
  },
  {
    name: "functions without a publishable key",
    item: "variables",
    words: /no publishable key/,
    env: { SUPABASE_PUBLISHABLE_KEYS: "{}" },
  },
  {
    name: "functions without signing keys",
    item: "jwks",
    words: /the functions know none \(SUPABASE_JWKS\)/,
    env: { SUPABASE_JWKS: '{"keys":[]}' },
    also: ["upload", "urls", "deletion"],
  },
  {
    name: "functions with a copy of the keys of before a rotation",
    item: "jwks",
    words: /the functions don't know Auth's [0-9a-f-]{36} \(SUPABASE_JWKS\)/,
    env: {
      SUPABASE_JWKS: JSON.stringify({
        keys: [{ ...(await generateKeys()), kid: "of-before", alg: "ES256" }],
      }),
    },
    also: ["upload", "urls", "deletion"],
  },
  {
    name: "wasm that was not put there",
    item: "wasm",
    words: /the functions miss system\/wasm\/zstd/,
    env: { SEDIMENT_TURN_SECONDS: "59" },
    wasm: false,
  },
  {
    name: "upload URLs that lead nowhere",
    item: "urls",
    words: /http:\/\/127\.0\.0\.1:9 was handed out for the upload/,
    env: { PUBLIC_URL: "http://127.0.0.1:9" },
    also: ["upload", "deletion"],
  },
  {
    name: "download URLs that lead nowhere",
    item: "urls",
    words: /http:\/\/127\.0\.0\.1:9 was handed out for downloads/,
    env: { SEDIMENT_STORAGE_PUBLIC_URL: "http://127.0.0.1:9" },
  },
];

Deno.test("doctor names what is wrong with a deployment, and nothing else", async (t) => {
  await using deployment = await startDeployment({ tickSeconds: 0.5 });
  const { stack, url } = deployment;
  const folder = await Deno.makeTempDir({ prefix: "sediment-doctor-" });
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  const run = (text: string) =>
    sql.unsafe(text.replaceAll("PROJECT_URL", url).replaceAll("CRON_KEY", stack.cronKey));
  try {
    const bundles: Bundle[] = [];
    for (const name of await functionNames()) bundles.push(await bundleFunction(name, folder));
    const store = createSupabaseStore({ url, secretKey: stack.secretKey, bucket: "sediment" });
    await deployWasm(store);
    await deployment.deploy(bundles);
    await run(vault("sediment_functions_url", "PROJECT_URL/functions/v1"));
    const expected = await readExpected();
    const look = (key = stack.secretKey, build = expected.build) =>
      checkup({ url, key }, { ...expected, build });
    const ticked = (status: string) =>
      eventually(`a tick that ${status}`, async () => {
        const [row] = await sql`
          select d.status from cron.job_run_details d join cron.job j using (jobid)
          where j.jobname = 'sediment_tick' and d.end_time is not null order by d.runid desc limit 1`;
        return row?.status === status;
      });
    await ticked("succeeded");

    await t.step("whole, it is well in every item", async () => {
      const items = await look();
      assert.deepEqual(items.filter(({ state }) => state !== "ok"), []);
      assert.equal(items.length, 17);
    });

    for (const breakage of breakages) {
      await t.step(breakage.name, async () => {
        const { key, build, env, sql: broken, undo, oldFunction } = breakage;
        if (broken) await run(broken);
        if (breakage.item === "cron") {
          await ticked(/fails/.test(breakage.name) ? "failed" : "succeeded");
        }
        if (breakage.item === "max_rows") {
          await eventually("the lower limit", async () => {
            const answer = await fetch(`${url}/rest/v1/row_limit_probe?select=n`, {
              headers: { apikey: stack.secretKey },
            });
            return (await answer.json()).length === 100;
          });
        }
        if (breakage.wasm === false) await store.deleteMany([wasmKey(wasmModules.zstd)]);
        if (oldFunction !== undefined) {
          const path = join(folder, "old.js");
          const { path: current } = bundles.find(({ name }) => name === oldFunction)!;
          const code = await Deno.readTextFile(current);
          await Deno.writeTextFile(path, code.replaceAll(expected.build, "0123456789ab"));
          await deployment.deploy(
            bundles.map((bundle) => bundle.name === oldFunction ? { ...bundle, path } : bundle),
          );
        }
        if (env) await deployment.deploy(bundles, env);
        deployment.intercept = breakage.intercept;
        try {
          const items = await look(key, build);
          const named = items.find(({ name }) => name === breakage.item)!;
          assert.equal(named.state, "wrong", JSON.stringify(items, null, 1));
          assert.match(named.found, breakage.words);
          assert.ok(named.mend, "it says what mends it");
          const others = items.filter(({ name, state }) =>
            state !== "ok" && name !== breakage.item && !breakage.also?.includes(name)
          );
          // Behind a key that opens nothing everything is unknown, and nothing is called well.
          if (breakage.item === "key") {
            return assert.deepEqual(
              new Set(others.map(({ state }) => state)),
              new Set(["unknown"]),
            );
          }
          assert.deepEqual(others, []);
        } finally {
          deployment.intercept = undefined;
          if (undo) await run(undo);
          if (breakage.wasm === false) await deployWasm(store);
          if (env || oldFunction) await deployment.deploy(bundles);
          if (breakage.item === "cron") await ticked("succeeded");
          if (breakage.item === "max_rows") {
            await eventually("the usual limit", async () => {
              const answer = await fetch(`${url}/rest/v1/row_limit_probe?select=n`, {
                headers: { apikey: stack.secretKey },
              });
              return (await answer.json()).length === 1000;
            });
          }
        }
      });
    }
  } finally {
    await sql.end();
    await Deno.remove(folder, { recursive: true });
  }
});
