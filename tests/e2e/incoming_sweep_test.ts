/**
 * What clients put to signed URLs and never completed leaves the store by the sweep and the vacuum, on each store: Storage, an
 * S3, and the one that S3_CONFORMANCE_ENDPOINT names (see tests/conformance/s3_store_test.ts), if any.
 */
import { strict as assert } from "node:assert";
import postgres from "postgres";
import type { ObjectStore } from "../../shared/storage/object_store.ts";
import { createS3Store } from "../../shared/storage/s3_store.ts";
import { startStack } from "../../supabase/local/stack.ts";
import { createS3Double } from "../storage/s3_double.ts";
import { call, sha256, signUp } from "../support/client.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";

/** A store, and the environment of functions that use it. */
interface Place extends AsyncDisposable {
  env: Record<string, string>;
  /** Null: the stack's own Storage, whose objects are rows. */
  store: Pick<ObjectStore, "list"> | null;
}

const variable = (name: string) => Deno.env.get(`S3_CONFORMANCE_${name}`);

function s3Place(endpoint: string, bucket: string, keys: [string, string], region: string): Place {
  const [accessKeyId, secretAccessKey] = keys;
  return {
    env: {
      SEDIMENT_STORE: "s3",
      SEDIMENT_S3_ENDPOINT: endpoint,
      SEDIMENT_S3_REGION: region,
      SEDIMENT_S3_ACCESS_KEY_ID: accessKeyId,
      SEDIMENT_S3_SECRET_ACCESS_KEY: secretAccessKey,
      SEDIMENT_BUCKET: bucket,
    },
    store: createS3Store({ endpoint, bucket, region, accessKeyId, secretAccessKey }),
    async [Symbol.asyncDispose]() {},
  };
}

const places: Record<string, () => Place> = {
  Storage: () => ({ env: {}, store: null, async [Symbol.asyncDispose]() {} }),
  "an S3"() {
    const double = createS3Double();
    const server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      async (request) => {
        const body = new Uint8Array(await request.arrayBuffer());
        const { method, headers } = request;
        return await double.fetch(request.url, {
          method,
          headers,
          ...(body.length > 0 && { body }),
        });
      },
    );
    const endpoint = `http://127.0.0.1:${server.addr.port}`;
    return {
      ...s3Place(endpoint, "b", ["id", "secret"], "auto"),
      [Symbol.asyncDispose]: () => server.shutdown(),
    };
  },
};
const endpoint = variable("ENDPOINT");
if (endpoint !== undefined) {
  const keys = [variable("ACCESS_KEY_ID") ?? "", variable("SECRET_ACCESS_KEY") ?? ""] as const;
  places[endpoint] = () =>
    s3Place(endpoint, variable("BUCKET") ?? "sediment", [...keys], variable("REGION") ?? "auto");
}

for (const [name, open] of Object.entries(places)) {
  Deno.test(`direct uploads that nobody completes are swept from ${name}, and no others`, async () => {
    await using place = open();
    await using stack = await startStack({ cron: false, env: place.env });
    const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
    try {
      const user = await signUp(stack, "direct@example.com");
      const { headers } = user;
      const dataset_id = crypto.randomUUID();
      const plan = async (value: number) => {
        const bytes = tinyParquet([value]);
        const { status, body } = await call(stack, "POST", "/battle-data/upload?direct=1", {
          headers,
          json: {
            dataset_id,
            table: "t",
            period_tag: "p",
            file_size: bytes.length,
            content_hash: sha256(bytes),
          },
        });
        assert.equal(status, 200, JSON.stringify(body));
        const put = async () => {
          const answer = await fetch(body.uploadUrl, { method: "PUT", body: bytes });
          assert.equal(answer.status, 200, await answer.text());
        };
        const complete = async () => {
          const { status, body: said } = await call(stack, "POST", body.completeUrl, { headers });
          return status === 200 ? "stored" : `${status} ${said.code}`;
        };
        return { put, complete };
      };
      const incoming = async () => {
        if (place.store === null) {
          const rows = await sql`select name from storage.objects where name like 'incoming/%'`;
          return rows.length;
        }
        return (await place.store.list(`incoming/${user.id}/`)).objects.length;
      };
      const tidy = async () => {
        await sql`select sweep()`;
        const { status } = await call(stack, "POST", "/compactor/vacuum?wait", {
          headers: { apikey: stack.secretKey },
        });
        assert.equal(status, 200);
      };

      const [unsent, left, slow, done] = await Promise.all([1, 2, 3, 4].map(plan));
      for (const { put } of [left, slow, done]) await put();
      assert.equal(await done.complete(), "stored");
      await tidy();
      assert.equal(await incoming(), 2, "what may still be completed stays");
      assert.equal(await slow.complete(), "stored");

      await sql`update objects set put_deadline = clock_timestamp() - interval '1 second'
        where state = 'staged'`;
      await tidy();
      assert.equal(await incoming(), 0);
      const states = await sql`select kind, state, count(*)::int as count from objects
        where dataset_id = ${dataset_id} or user_id = ${user.id} group by 1, 2 order by 1, 2`;
      assert.deepEqual(states.map(({ kind, state, count }) => `${count} ${kind} ${state}`), [
        "2 fragment stored",
        "2 fragment tombstone",
        "4 incoming tombstone",
      ]);
      for (const one of [unsent, left]) assert.match(await one.complete(), /^410 stage_expired/);

      const { body } = await call(stack, "GET", `/battle-data/latest?dataset_id=${dataset_id}`, {
        headers,
      });
      assert.equal(body.files.length, 2);
      for (const { url } of body.files) {
        const answer = await fetch(url);
        assert.equal(answer.status, 200);
        assert.ok((await answer.bytes()).length > 0);
      }
    } finally {
      await sql.end();
    }
  });
}
