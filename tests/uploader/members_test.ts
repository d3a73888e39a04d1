/** `sediment members` and `sediment rename` against the embedded stack. */
import { strict as assert } from "node:assert";
import { startStack } from "../../supabase/local/stack.ts";
import { signUp } from "../support/stack.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";
import { sediment } from "./support/cli.ts";
import { withFolder } from "./support/setup.ts";

Deno.test({
  name: "a dataset is shared, renamed in and handed over from the command line",
  // The stack's drivers outlive the test by a moment.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using stack = await startStack({ cron: false });
    const [mine, theirs] = [await signUp(stack), await signUp(stack)];
    await withFolder(async (folder) => {
      const dataset = crypto.randomUUID();
      const as = ({ token }: { token: string }) => (...args: string[]) =>
        sediment(folder, args, {
          SEDIMENT_URL: stack.url,
          SEDIMENT_KEY: stack.publishableKey,
          SEDIMENT_TOKEN: token,
          SEDIMENT_DATASET: dataset,
        });
      const [owner, other] = [as(mine), as(theirs)];
      await Deno.mkdir(`${folder}/exports/battles/p`, { recursive: true });
      await Deno.writeFile(`${folder}/exports/battles/p/f.parquet`, tinyParquet([1]));
      const pushed = await owner("push", "exports/");
      assert.equal(pushed.code, 0, pushed.err);

      assert.match((await other("ls")).err, /dataset_forbidden/);
      assert.equal((await owner("members", "bake")).code, 2);
      assert.match((await owner("members", "accept")).err, /needs a name behind it/);
      assert.equal((await owner("members", "invite", "--role", "admin")).code, 2);
      const invited = await owner("members", "invite", "--role", "reader");
      const accepted = await other("members", "accept", invited.out.trim());
      assert.match(accepted.err, new RegExp(`you are reader of dataset ${dataset}`));
      assert.equal((await other("ls")).code, 0);
      assert.match((await other("rename", "battles", "fights")).err, /dataset_forbidden/);
      const renamed = await owner("rename", "battles", "fights");
      assert.match(renamed.err, /fights, also by battles/);
      assert.match((await other("ls", "--table", "battles")).out, /fights/);
      assert.match((await owner("members")).out, /reader/);

      const offered = await owner("members", "invite", "--role", "owner", "--json");
      const { token, invitation_id } = JSON.parse(offered.out);
      assert.match((await owner("members")).out, new RegExp(`owner\\? +${invitation_id}`));
      assert.equal((await other("members", "accept", token)).code, 0);
      assert.match((await owner("ls")).err, /dataset_forbidden/);
      const { members } = JSON.parse((await other("members", "--json")).out);
      assert.deepEqual(members, []);
    });
  },
});
