/** Listings by cursor, against what sorting and cutting the keys gives. */
import { strict as assert } from "node:assert";

import postgres from "postgres";

import fc from "../support/fast_check.ts";

import { connectStorage, prepareDatabase } from "../../supabase/local/storage/database.ts";
import { ObjectTable } from "../../supabase/local/storage/object_table.ts";
import { serviceScope } from "../../supabase/local/storage/scope.ts";
import { createStandInDatabase } from "./stand_in_database.ts";

const key = fc.array(fc.constantFrom("a", "b", "A", "-", ".x", "/", "/", "0", "_", "%", "ü"), {
  minLength: 1,
  maxLength: 6,
}).map((pieces) => pieces.join(""));

/** By the bytes of UTF-8, as PostgreSQL's "C" does. */
const byBytes = (a: string, b: string) => a < b ? -1 : a > b ? 1 : 0;

/** The keys below a prefix; what lies deeper is its folder. */
function fold(keys: string[], prefix: string): string[] {
  return [
    ...new Set(keys.map((key) => {
      const slash = key.indexOf("/", prefix.length);
      return slash < 0 ? key : key.slice(0, slash + 1);
    })),
  ].sort(byBytes);
}

Deno.test("keys come in the order of their bytes, from any key on, below any prefix, folded or not", async () => {
  const urlOf = await createStandInDatabase();
  const sql = connectStorage(urlOf("supabase_storage_admin"));
  const admin = postgres(urlOf("postgres"), { max: 1, onnotice: () => {} });
  try {
    await prepareDatabase(sql, "");
    const table = new ObjectTable(sql);
    const scope = serviceScope("storage.object.list_v2");
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(key, { maxLength: 12 }),
        fc.oneof(fc.constant(""), key),
        fc.boolean(),
        fc.integer({ min: 1, max: 4 }),
        async (keys, prefix, folded, limit) => {
          await admin`truncate storage.objects`;
          await admin`insert into storage.objects (bucket_id, name)
            select 'sediment', unnest(${keys}::text[])`;
          const below = keys.filter((key) => key.startsWith(prefix)).sort(byBytes);
          const expected = folded ? fold(below, prefix) : below;
          const found: string[] = [];
          for (let after = "";;) {
            const page = await table.list(scope, "sediment", { prefix, after, limit, folded });
            found.push(...page.map((row) => row.name));
            for (const { id, name } of page) {
              assert.equal(id === null, folded && name.indexOf("/", prefix.length) >= 0, name);
            }
            if (page.length < limit) break;
            after = page[page.length - 1].name;
          }
          assert.deepEqual(found, expected);
        },
      ),
      { numRuns: 150 },
    );
  } finally {
    await Promise.all([sql.end(), admin.end()]);
  }
});
