import { strict as assert } from "node:assert";
import postgres from "postgres";
import { createSqlCatalog } from "../../support/sql_catalog.ts";
import type { SedimentError } from "../../../shared/errors.ts";
import { startCluster } from "../cluster.ts";
import { upload } from "./worker.ts";

Deno.test("what a user may have is not passed by uploads at once", async (t) => {
  await using cluster = await startCluster(17);
  const { url } = await cluster.newDatabase();
  const sql = postgres(url, { max: 8, onnotice: () => {} });
  try {
    const catalog = createSqlCatalog(sql);
    // Open before they race: the first of them would else be done before the second is there.
    await Promise.all(Array.from({ length: 8 }, () => sql`select pg_sleep(0.2)`));
    const user = crypto.randomUUID();
    /** Uploads of 100 bytes, eight connections at once; gives the codes of those that were refused. */
    const race = async (count: number, datasetOf: () => string, table = (_n: number) => "a") => {
      const settled = await Promise.allSettled(
        Array.from({ length: count }, (_, n) => {
          const body = crypto.randomUUID();
          return upload(catalog, { user, dataset: datasetOf(), body, tables: [table(n)] });
        }),
      );
      return settled.flatMap((one) =>
        one.status === "fulfilled" ? [] : [(one.reason as SedimentError).code]
      );
    };

    await t.step("datasets", async () => {
      await sql`insert into user_limits (user_id, datasets_max) values (${user}, 2)`;
      const refused = await race(16, () => crypto.randomUUID());
      assert.deepEqual(refused, Array(14).fill("quota_exceeded"));
    });

    await t.step("stored bytes, over several datasets", async () => {
      await sql`update user_limits set datasets_max = null, stored_bytes_max = 700`;
      const datasets = (await sql`select id from datasets`).map(({ id }) => id);
      let n = 0;
      const refused = await race(16, () => datasets[n++ % 2]);
      // two are there
      assert.deepEqual(refused, Array(11).fill("quota_exceeded"));
      const [{ bytes }] = await sql`select sum(file_size_bytes)::int as bytes from datasets`;
      assert.equal(bytes, 700);
    });

    await t.step("new partitions of an hour", async () => {
      await sql`update user_limits set stored_bytes_max = null, partitions_per_minute = 1`;
      await sql`delete from user_growth`;
      const [{ id }] = await sql`select id from datasets limit 1`;
      const refused = await race(66, () => id, (n) => `b${n}`);
      assert.deepEqual(refused, Array(6).fill("rate_limited"));
      const [{ count }] = await sql`
        select count(*)::int as count from partitions where "table" like 'b%'`;
      assert.equal(count, 60);
    });
  } finally {
    await sql.end();
  }
});
