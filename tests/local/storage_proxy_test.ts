/** A Storage that verifies HS256 tokens itself, as the real one does, behind the gateway of a stack. */
import { strict as assert } from "node:assert";
import { SedimentError } from "../../shared/errors.ts";
import { createSupabaseStore } from "../../shared/storage/supabase_store.ts";
import { startStack } from "../../supabase/local/stack.ts";
import { objectStoreConformance } from "../conformance/object_store.ts";
import { storageApiConformance } from "../conformance/storage_api.ts";
import { tokenStandIn } from "../storage/token_stand_in.ts";

const jwtSecret = "a secret of a real Storage that nobody else knows";

Deno.test("the storage suites pass through the gateway to a Storage that is not the stand-in", async (t) => {
  const real = await tokenStandIn(jwtSecret);
  await using stack = await startStack({
    functions: false,
    cron: false,
    storage: { url: `${real.url}/storage/v1`, jwtSecret },
  });
  assert.equal(stack.s3, null);
  const { url, secretKey, publishableKey } = stack;
  const close = () => Promise.resolve();
  const cases: [name: string, run: () => Promise<void>][] = [];
  const collect = (name: string, run: () => Promise<void>) => void cases.push([name, run]);
  storageApiConformance(
    "Storage",
    () => Promise.resolve({ url, secretKey, publishableKey, close }),
    collect,
  );
  const store = createSupabaseStore({ url, secretKey, bucket: "sediment" });
  objectStoreConformance("store", () => Promise.resolve({ store, close }), collect);
  for (const [name, run] of cases) await t.step(name, run);
  await real.close();
});

Deno.test("a Storage that isn't there, or has another secret, fails the start with what to do", async () => {
  const real = await tokenStandIn(jwtSecret);
  const start = (storage: { url: string; jwtSecret: string }) =>
    startStack({ functions: false, cron: false, migrations: false, storage });
  const cases: [storage: { url: string; jwtSecret: string }, words: RegExp][] = [
    [{ url: "http://127.0.0.1:9", jwtSecret }, /No Storage answers at/],
    [{ url: `${real.url}/storage/v1`, jwtSecret: "wrong ".repeat(8) }, /AUTH_JWT_SECRET/],
  ];
  for (const [storage, words] of cases) {
    await assert.rejects(start(storage), (error: SedimentError) => {
      assert.equal(error.code, "part_failed");
      assert.match(error.message, words);
      return true;
    });
  }
  await real.close();
});
