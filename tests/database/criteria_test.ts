import { strict as assert } from "node:assert";
import { schemaFiles } from "../../supabase/migrate/schema_files.ts";

/** Statements that name no rows, each as far as its own end or that of the parentheses around it. */
function withoutCriteria(sql: string): string[] {
  const text = sql
    .replace(/--.*$/gm, "")
    .replace(/'(?:[^']|'')*'/g, "''");
  const found: string[] = [];
  const writes = /\b(?:update\s+(?:only\s+)?(?:public|sediment|pgmq)\.|delete\s+from\s)/gi;
  for (const { index } of text.matchAll(writes)) {
    let depth = 0;
    let own = "";
    for (const mark of text.slice(index)) {
      if (mark === "(") depth++;
      if (mark === ")") depth--;
      if (depth < 0 || mark === ";") break;
      if (depth === 0) own += mark;
    }
    if (!/\bwhere\b/i.test(own)) found.push(own.replace(/\s+/g, " ").slice(0, 100));
  }
  return found;
}

Deno.test("every update and delete says which rows, since hosted PostgREST's connections refuse one that doesn't", async () => {
  // safeupdate, which Supabase preloads for the role authenticator, looks at what SQL functions run too
  const found = (await schemaFiles())
    .flatMap(({ path, text }) => withoutCriteria(text).map((statement) => `${path}: ${statement}`));
  assert.deepEqual(found, []);
});

Deno.test("a statement without criteria is seen inside another that has some", () => {
  const one = "update public.a x set b = (select 1 where true)";
  assert.deepEqual(withoutCriteria(`with y as (${one} returning b) delete from c where d = ';';`), [
    "update public.a x set b = ) returning b",
  ]);
  assert.deepEqual(withoutCriteria("delete from public.a; -- where"), ["delete from public.a"]);
  assert.deepEqual(withoutCriteria("select 1 from public.a for no key update;"), []);
  assert.deepEqual(withoutCriteria("update public.a set b = 'where' where c;"), []);
});
