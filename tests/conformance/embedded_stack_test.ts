/** All suites through the embedded Supabase: its gateway, its keys, and buckets in its database. */
import { createSupabaseStore } from "../../shared/storage/supabase_store.ts";
import { startStack } from "../../supabase/local/stack.ts";
import { objectStoreConformance } from "./object_store.ts";
import { resumableConformance } from "./resumable.ts";
import { storageApiConformance } from "./storage_api.ts";

Deno.test("the embedded stack passes the storage suites", async (t) => {
  await using stack = await startStack({ functions: false, cron: false });
  const { url, secretKey, publishableKey } = stack;
  const close = () => Promise.resolve();
  const cases: [name: string, run: () => Promise<void>][] = [];
  const collect = (name: string, run: () => Promise<void>) => void cases.push([name, run]);

  const api = { url, secretKey, publishableKey, close };
  storageApiConformance("Storage", () => Promise.resolve(api), collect);
  resumableConformance("resumable", () => Promise.resolve(api), collect);
  // The bucket is the one that a migration inserts.
  const store = createSupabaseStore({ url, secretKey, bucket: "sediment" });
  objectStoreConformance("store", () => Promise.resolve({ store, close }), collect);

  for (const [name, run] of cases) await t.step(name, run);
});
