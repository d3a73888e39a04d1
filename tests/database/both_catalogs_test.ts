import { strict as assert } from "node:assert";
import { createClient } from "@supabase/supabase-js";
import { type Catalog, createCatalog } from "../../shared/catalog/catalog.ts";
import { connectCatalog } from "../../shared/catalog/connect_catalog.ts";
import type { SedimentError } from "../../shared/errors.ts";
import { startStack } from "../../supabase/local/stack.ts";
import { withClient } from "./cluster.ts";
import { upload } from "./concurrency/worker.ts";

const user = "00000000-0000-4000-8000-00000000a11c";

Deno.test("a call over a connection answers and fails as it does over PostgREST", async (t) => {
  await using stack = await startStack({ cron: false, functions: false });
  const connected = connectCatalog(`${stack.dbUrl}?role=service_role&statement_timeout=8000`);
  await using closing = new AsyncDisposableStack();
  closing.defer(() => connected.close());
  const rest = createCatalog(createClient(stack.url, stack.secretKey));
  const [mine, full] = [crypto.randomUUID(), crypto.randomUUID()];
  await upload(connected.catalog, { user, dataset: mine, body: "1", tables: ["a", "b"] });
  await withClient(
    stack.adminDbUrl,
    (sql) => sql`insert into user_limits (user_id, uploads_per_minute) values (${full}, 1)`,
  );

  const stage = {
    user,
    dataset: mine,
    table: "a",
    periodTag: "0",
    size: 1,
    contentHash: "ab".repeat(32),
    offsetsDigest: "",
  };
  // takes the one that the limit allows
  await connected.catalog.stageUpload({ ...stage, user: full, dataset: crypto.randomUUID() });
  const calls: Record<string, (catalog: Catalog) => Promise<unknown>> = {
    "a list": (c) => c.listFiles({ user, dataset: mine }),
    "null as an argument": (c) => c.listFiles({ user, dataset: mine, table: null, cursor: null }),
    "an array of numbers": (c) => c.retryQuarantined({ user, dataset: mine, files: [1, 2] }),
    "an array of texts": (c) => c.findObjects({ keys: ["a", 'b"\\,{}', "NULL", ""] }),
    "an empty array": (c) => c.findObjects({ keys: [] }),
    "another's dataset": (c) => c.stageUpload({ ...stage, user: crypto.randomUUID() }),
    "a stage that is not there": (c) =>
      c.commitUpload({
        stage: full,
        user,
        size: 1,
        etag: "",
        contentHash: stage.contentHash,
        files: [],
      }),
    "a limit with its Retry-After": (c) =>
      c.stageUpload({ ...stage, user: full, dataset: crypto.randomUUID() }),
    "no uuid": (c) => c.listFiles({ user: "me", dataset: mine }),
    "a version of the future": (c) => c.listFiles({ user, dataset: mine, version: 99 }),
    "a bad cursor": (c) => c.listFiles({ user, dataset: mine, cursor: "?" }),
    "a number that is none": (c) =>
      c.listFiles({ user, dataset: mine, limit: "x" as unknown as number }),
    "an argument that the function does not have": (c) => c.tick({ other: 1 } as object),
    "a text with quotes, a backslash, a NUL": (c) =>
      c.listFiles({ user, dataset: mine, table: "'\"\\\0" }),
    "group of calls": (c) =>
      c.groupUploadCalls({ stages: [{ p_user: "me" }], commits: [{ p_stage: "x" }] }),
  };
  for (const [name, call] of Object.entries(calls)) {
    await t.step(name, async () => {
      const told = async (catalog: Catalog) => {
        try {
          return { answer: await call(catalog) };
        } catch (thrown) {
          const { code, field, expected, retryAfterSeconds } = thrown as SedimentError;
          // A second may pass between the two.
          const waits = retryAfterSeconds !== undefined;
          return { code, field, expected: expected?.replace(/\d+/, "N"), waits };
        }
      };
      assert.deepEqual(await told(connected.catalog), await told(rest));
    });
  }
});
