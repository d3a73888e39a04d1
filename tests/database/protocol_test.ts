/** SQL's own checks of names and paths give the answers of the table that the uploader and the functions are held to. */
import { strict as assert } from "node:assert";
import type { Sql } from "postgres";
import { isAssetPath } from "../../shared/protocol/asset_path.ts";
import { names, paths } from "../protocol/cases.ts";
import { startCluster, withClient } from "./cluster.ts";

const user = "00000000-0000-4000-8000-00000000a11c";
const hash = "ab".repeat(32);

/** The code that a statement raises, or null. It leaves nothing behind. */
async function codeOf(sql: Sql, statement: (sql: Sql) => Promise<unknown>): Promise<string | null> {
  let code: string | null = null;
  await sql.begin(async (transaction) => {
    await statement(transaction as unknown as Sql);
    throw new Error("taken");
  }).catch((error) => {
    if (error.message !== "taken") code = error.message;
  });
  return code;
}

Deno.test("the catalog takes and refuses what the protocol does", async (t) => {
  await using cluster = await startCluster();
  const { url } = await cluster.newDatabase();
  await withClient(url, async (sql) => {
    await t.step("names of tables and periods, at step 1 and in messages", async () => {
      for (const [what, name, taken] of names) {
        const stage = (table: string, period: string) =>
          codeOf(
            sql,
            (sql) =>
              sql`select stage_upload(${user}, ${crypto.randomUUID()}, ${table}, ${period}, 1, ${hash}, '')`,
          );
        const expected = taken ? null : "invalid_name";
        assert.equal(await stage(name as string, "0"), expected, `a table named by ${what}`);
        assert.equal(await stage("t", name as string), expected, `a period named by ${what}`);
        const message = {
          datasetId: user,
          metricId: user,
          priority: "manual",
          triggeredAt: "2026-11-22T00:00:00Z",
          table: name as string,
          periodTag: "0",
        };
        const [{ problem }] = await sql`
          select problem from sediment.parse_message(${sql.json(message)})`;
        assert.equal(problem, taken ? null : "table is not a name", what);
      }
    });

    await t.step("paths of assets", async () => {
      for (const [what, path, taken] of paths) {
        // PostgreSQL's text has no NUL; the driver refuses it.
        if (path.includes("\0")) continue;
        const code = await codeOf(
          sql,
          (sql) => sql`select sediment.check_asset(${user}, 'a.png', ${path}, 'a.png', 1)`,
        );
        assert.equal(code, taken ? null : "invalid_name", what);
      }
    });

    await t.step("the characters of Unicode, each alone in a path", async () => {
      const rows = await sql<{ code: number }[]>`
        select code from generate_series(1, 1114111) code
        where (code < 131072 or code between 917504 and 921600 or code % 997 = 0)
          and code not between 55296 and 57343 and not sediment.is_asset_path('a' || chr(code) || 'b')`;
      const refused = new Set(rows.map(({ code }) => code));
      const differ: string[] = [];
      for (let code = 1; code <= 0x10ffff; code++) {
        const asked = code < 0x20000 || code >= 0xe0000 && code <= 0xe1000 || code % 997 === 0;
        if (!asked || code >= 0xd800 && code <= 0xdfff) continue;
        const ours = !isAssetPath(`a${String.fromCodePoint(code)}b`);
        if (ours !== refused.has(code)) differ.push(code.toString(16));
      }
      assert.deepEqual(differ, []);
    });
  });
});
