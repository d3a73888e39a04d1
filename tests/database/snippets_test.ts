import { startCluster, withClient } from "./cluster.ts";

const folder = new URL("../../supabase/snippets/", import.meta.url);

Deno.test("every snippet for the dashboard's editor runs on the catalog", async (t) => {
  await using cluster = await startCluster(17);
  const { url } = await cluster.newDatabase();
  await withClient(url, async (sql) => {
    await sql`insert into datasets (id, user_id)
      values ('00000000-0000-4000-8000-000000000000', '00000000-0000-4000-8000-000000000000')`;
    for await (const { name } of Deno.readDir(folder)) {
      await t.step(name, async () => {
        await sql.unsafe(await Deno.readTextFile(new URL(name, folder))).simple();
      });
    }
  });
});
