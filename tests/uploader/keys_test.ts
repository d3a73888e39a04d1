/** `sediment keys`, reading by a key, and `sediment push --own-dataset`, against the embedded stack. */
import { strict as assert } from "node:assert";
import { startStack } from "../../supabase/local/stack.ts";
import { openDataset } from "../../shared/reader/open_dataset.ts";
import { keySession } from "../../shared/reader/service/key_session.ts";
import { signUp } from "../support/stack.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";
import { sediment } from "./support/cli.ts";
import { withFolder } from "./support/setup.ts";

Deno.test({
  name: "a key is made, read by and revoked from the command line",
  // The stack's drivers outlive the test by a moment.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async (t) => {
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
      /** With a key and nothing else. */
      const holder = (secret: string, ...args: string[]) =>
        sediment(folder, [...args, "--url", stack.url, "--key", secret, "--dataset", dataset]);
      await Deno.mkdir(`${folder}/exports/battles/p`, { recursive: true });
      await Deno.writeFile(`${folder}/exports/battles/p/f.parquet`, tinyParquet([1, 2]));
      const pushed = await owner("push", "exports/");
      assert.equal(pushed.code, 0, pushed.err);

      assert.match((await owner("keys", "revoke")).err, /needs a key's id behind it/);
      assert.equal((await owner("keys", "bake")).code, 2);
      assert.equal((await owner("keys", "create", "--seconds", "5")).code, 2);
      assert.match((await other("keys", "create")).err, /dataset_forbidden/);
      const made = await owner("keys", "create", "--label", "dashboard");
      const secret = made.out.trim();
      assert.match(secret, /^sdk_[0-9a-f]{64}$/);
      assert.ok(!(await owner("keys", "--json")).out.includes(secret), "it is told once");

      await t.step("whoever has it reads, and uploads nothing", async () => {
        const listed = await holder(secret, "ls");
        assert.match(listed.out, /battles/, listed.err);
        const pulled = await holder(secret, "pull", "--out", "pulled");
        assert.equal(pulled.code, 0, pulled.err);
        const files = [...Deno.readDirSync(`${folder}/pulled/battles/p`)];
        assert.equal(files.length, 1);
        assert.match((await holder(secret, "tables")).out, /battles/);
        const refused = await holder(secret, "push", "exports/");
        assert.match(refused.err, /a read-only key uploads nothing/);
      });

      await t.step("the reader reads by it, and by one token as long as that lives", async () => {
        let exchanges = 0;
        const session = keySession({
          url: stack.url,
          secret,
          fetch: (input, init) => {
            exchanges++;
            return fetch(input, init);
          },
        });
        const data = await openDataset({ url: stack.url, session, datasetId: dataset });
        const table = await data.toTable({ table: "battles" });
        assert.deepEqual([table.numRows, exchanges], [2, 1]);
        session.forget();
        await Promise.all([session.credential(), session.credential()]);
        assert.equal(exchanges, 2, "those who ask together share one");
      });

      await t.step("revoked, it opens nothing", async () => {
        const { keys } = JSON.parse((await owner("keys", "--json")).out);
        const revoked = await owner("keys", "revoke", keys[0].key_id);
        assert.match(revoked.err, /opens nothing any more/);
        assert.match((await owner("keys", "list")).out, /dashboard +revoked/);
        const ended = await holder(secret, "ls");
        assert.equal(ended.code, 1);
        assert.match(ended.err, /key_invalid/);
      });

      await t.step("a second account has a dataset of its own where it says so", async () => {
        const refused = await other("push", "exports/");
        assert.equal(refused.code, 3);
        assert.match(refused.err, /dataset_forbidden.*--own-dataset/);
        const own = await other("retry", "--own-dataset");
        assert.equal(own.code, 0, own.err);
        const [, id] = /stored in dataset (\S+)$/m.exec(own.err) ?? [];
        assert.ok(id !== undefined && id !== dataset, own.err);
        const listed = await other("ls", "--dataset", id);
        assert.match(listed.out, /battles/, listed.err);
        await Deno.writeFile(`${folder}/exports/battles/p/g.parquet`, tinyParquet([3]));
        const next = await other(
          "push",
          "exports/battles/p/g.parquet",
          "--table",
          "battles",
          "--own-dataset",
        );
        assert.equal(next.code, 0, next.err);
        assert.match(next.err, new RegExp(`stored in dataset ${id}, one of your own`));
      });
    });
  },
});

Deno.test("a token is renewed before it ends, and what is refused is told by its code", async () => {
  let clock = 0;
  const answers: [number, unknown][] = [
    [200, { access_token: "a", expires_in: 3600 }],
    [200, { access_token: "b", expires_in: 20 }],
    [200, { access_token: "c", expires_in: 3600 }],
  ];
  const session = keySession({
    url: "https://project.example/",
    secret: "sdk_1",
    now: () => clock,
    fetch: (input) => {
      assert.equal(String(input), "https://project.example/functions/v1/battle-data/keys/session");
      const [status, body] = answers.shift()!;
      return Promise.resolve(Response.json(body, { status, headers: { "retry-after": "9" } }));
    },
  });
  const tokenAt = async (seconds: number) => {
    clock = seconds * 1000;
    return (await session.credential()).token;
  };
  assert.deepEqual([await tokenAt(0), await tokenAt(3569), await tokenAt(3571)], ["a", "a", "b"]);
  assert.deepEqual([await tokenAt(3580), await tokenAt(3582)], ["b", "c"]);
  const refusals: [number, unknown, string][] = [
    [401, { code: "key_invalid", detail: "no" }, "key_invalid"],
    [429, { code: "rate_limited", detail: "later" }, "rate_limited"],
    [502, "<html>", "unexpected_answer"],
  ];
  for (const [status, body, code] of refusals) {
    session.forget();
    answers.push([status, body]);
    await assert.rejects(session.credential(), (error: { code?: string }) => error.code === code);
  }
});
