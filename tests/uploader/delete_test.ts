/** `sediment delete` against the embedded stack. */
import { strict as assert } from "node:assert";
import { startStack } from "../../supabase/local/stack.ts";
import { signUp } from "../support/stack.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";
import { sediment } from "./support/cli.ts";
import { withFolder } from "./support/setup.ts";

Deno.test({
  name: "delete wants the name once more, and then takes out exactly what it names",
  // The stack's drivers outlive the test by a moment.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using stack = await startStack({ cron: false });
    const { token } = await signUp(stack);
    await withFolder(async (folder) => {
      const dataset = crypto.randomUUID();
      const env = {
        SEDIMENT_URL: stack.url,
        SEDIMENT_KEY: stack.publishableKey,
        SEDIMENT_TOKEN: token,
        SEDIMENT_DATASET: dataset,
      };
      const say = (...args: string[]) => sediment(folder, args, env);
      for (const [table, period, row] of [["a", "p", 1], ["a", "q", 2], ["b", "p", 3]] as const) {
        await Deno.mkdir(`${folder}/exports/${table}/${period}`, { recursive: true });
        await Deno.writeFile(`${folder}/exports/${table}/${period}/f.parquet`, tinyParquet([row]));
      }
      const pushed = await say("push", "exports/");
      assert.equal(pushed.code, 0, pushed.err);
      const there = async () => {
        const { out } = await say("ls", "--json");
        return out.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line))
          .filter((line) => line.table !== undefined)
          .map(({ table, period_tag, key }) => ({ place: `${table}/${period_tag}`, key }));
      };
      const places = async () => (await there()).map(({ place }) => place).sort();
      assert.deepEqual(await places(), ["a/p", "a/q", "b/p"]);

      for (const args of [[], ["--confirm", "a"], ["--confirm", dataset]]) {
        const refused = await say("delete", "--table", "a", "--period", "p", ...args);
        assert.equal(refused.code, 2);
        assert.match(refused.err, /table a, period p: .*--confirm p deletes it/);
      }
      assert.equal((await places()).length, 3);

      const period = ["--table", "a", "--period", "p", "--confirm", "p"];
      const deleted = await say("delete", ...period, "--wait", "--json");
      assert.equal(deleted.code, 0, deleted.err);
      const receipt = JSON.parse(deleted.out);
      assert.deepEqual([receipt.kind, receipt.rows, receipt.done], ["period", 1, true]);
      assert.deepEqual(await places(), ["a/q", "b/p"]);

      const strangers = await say("delete", "--upload", crypto.randomUUID(), "--table", "a");
      assert.match(strangers.err, /--upload names one upload by itself/);

      const all = await say("delete", "--confirm", dataset, "--purge", "--wait");
      assert.match(all.err, /deleted dataset .*: 2 rows in 2 files/);
      const gone = await say("ls");
      assert.equal(gone.code, 1);
      assert.match(gone.err, /dataset_deleted/);
    });
  },
});
