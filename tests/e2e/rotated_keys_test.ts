/** Keys are rotated in the middle of uploads: the project's secret key, the key that signs users' tokens, the one of URLs. */
import { strict as assert } from "node:assert";
import { exportJWK, generateKeyPair } from "jose";
import { join } from "node:path";
import postgres from "postgres";
import { type Stack, startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, type TestUser, until } from "../support/client.ts";
import { fastClock } from "../support/field_world.ts";
import { quietPort } from "../support/quiet_port.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";

const [first, second] = ["first", "second"].map((name) => name.repeat(8));

/** As a project does it whose keys are rotated: the old ones are good for nothing any more. */
async function rotateKeys(stateDir: string): Promise<void> {
  const path = join(stateDir, "keys.json");
  const keys = JSON.parse(await Deno.readTextFile(path));
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  for (const name of ["secret", "cron"]) {
    keys[name] = keys[name].replace(/^sb_secret_.{8}/, "sb_secret_rotated1");
  }
  keys.signing = {
    ...await exportJWK(privateKey),
    kid: crypto.randomUUID(),
    alg: "ES256",
    use: "sig",
  };
  await Deno.writeTextFile(path, JSON.stringify(keys));
}

Deno.test("with a key of their own upload and slice URLs outlive rotated keys, and without it they end", async () => {
  const stateDir = await Deno.makeTempDir({ prefix: "sediment-keys-" });
  const dataset = crypto.randomUUID();
  let rows = 0;
  const port = quietPort();
  const begin = (env: Record<string, string>) => startStack({ ...fastClock, stateDir, port, env });
  const fragment = () => tinyParquet([rows++, rows++]);
  /** Step 1. */
  const plan = async (stack: Stack, user: TestUser, bytes: Uint8Array, more: object = {}) => {
    const { status, body } = await call(stack, "POST", "/battle-data/upload", {
      headers: user.headers,
      json: {
        dataset_id: dataset,
        table: "battles",
        file_size: bytes.length,
        content_hash: sha256(bytes),
        ...more,
      },
    });
    assert.equal(status, 200, JSON.stringify(body));
    return body.uploadUrl as string;
  };
  const put = async (stack: Stack, url: string, bytes: Uint8Array<ArrayBuffer>) => {
    const { status, body } = await call(stack, "PUT", url, { body: bytes });
    return [status, body.code];
  };
  const slicesOf = async (stack: Stack, user: TestUser) => {
    const { body } = await call(stack, "GET", `/battle-data/latest?dataset_id=${dataset}`, {
      headers: user.headers,
    });
    return body.files.map((file: { url: string }) => file.url)
      .filter((url: string) => url.includes("/content?token=")) as string[];
  };

  try {
    let stack = await begin({ SEDIMENT_TOKEN_KEY: first });
    const user = await signUp(stack, "before@example.com");
    const begun = [fragment(), fragment(), fragment()];
    const urls = await Promise.all(begun.map((bytes) => plan(stack, user, bytes)));
    assert.deepEqual(await put(stack, urls[0], begun[0]), [200, undefined]);
    const halves = [fragment(), fragment()];
    const both = new Uint8Array([...halves[0], ...halves[1]]);
    const sliced = await plan(stack, user, both, {
      table: "sliced",
      table_offsets: [
        { table_name: "left", start_byte: 0, byte_length: halves[0].length, format: "parquet" },
        {
          table_name: "right",
          start_byte: halves[0].length,
          byte_length: halves[1].length,
          format: "parquet",
        },
      ],
    });
    assert.deepEqual(await put(stack, sliced, both), [200, undefined]);
    const [slice] = await slicesOf(stack, user);
    const oldSecret = stack.secretKey;
    await stack.stop();

    await rotateKeys(stateDir);
    stack = await begin({ SEDIMENT_TOKEN_KEY: second, SEDIMENT_TOKEN_KEY_PREVIOUS: first });
    assert.notEqual(stack.secretKey, oldSecret);
    const asked = (apikey: string) =>
      call(stack, "GET", "/compaction/deployment", { headers: { apikey } });
    assert.deepEqual([(await asked(oldSecret)).status, (await asked(stack.secretKey)).status], [
      401,
      200,
    ]);
    const stale = await call(stack, "GET", `/battle-data/latest?dataset_id=${dataset}`, {
      headers: user.headers,
    });
    assert.equal(stale.status, 401, "a token of the old signing key is refused");
    assert.deepEqual(await put(stack, urls[1], begun[1]), [200, undefined]);
    assert.deepEqual(await put(stack, urls[2], begun[2]), [200, undefined]);
    assert.deepEqual(
      await put(stack, urls[0], begun[0]),
      [200, undefined],
      "its first answer again",
    );
    assert.equal((await call(stack, "GET", slice)).status, 200);
    const signIn = async () => {
      const { data, error } = await user.client.auth.signInWithPassword({
        email: "before@example.com",
        password: "a long password",
      });
      if (error) throw error;
      user.headers.authorization = `Bearer ${data.session.access_token}`;
    };
    await signIn();
    const last = fragment();
    const lastUrl = await plan(stack, user, last);
    await stack.stop();

    // Nobody set a key: the URLs are of the secret key, and end.
    stack = await begin({});
    assert.deepEqual(await put(stack, lastUrl, last), [401, "token_invalid"]);
    assert.equal((await call(stack, "GET", slice)).status, 401);
    assert.deepEqual(await put(stack, await plan(stack, user, last), last), [200, undefined]);
    const [anew] = await slicesOf(stack, user);
    assert.equal((await call(stack, "GET", anew)).status, 200);

    const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
    try {
      await sql`update public.service_settings set min_inputs = 2, max_age_seconds = 1, idle_recheck_seconds = 1`;
      await call(stack, "POST", "/compaction", {
        headers: user.headers,
        json: { datasetId: dataset },
      });
      await until("the four are one file", 60, async () => {
        const [row] = await sql`select count(*)::int as files from public.battle_files
          where removed_version is null and "table" = 'battles'`;
        return row.files === 1;
      });
      const [sums] = await sql`select sum(row_count)::int as stored,
        (select count(*)::int from public.dead_letters) as letters
        from public.battle_files where removed_version is null`;
      assert.deepEqual({ ...sums }, { stored: rows, letters: 0 });
    } finally {
      await sql.end({ timeout: 1 });
      await stack.stop();
    }
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});
