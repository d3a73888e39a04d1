import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { uuidOfDigest } from "../../shared/protocol/names.ts";
import { startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, type TestUser, uploadForm } from "../support/client.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";

Deno.test("a renamed table takes late retries, and a second account loses nothing", async (t) => {
  await using stack = await startStack({ tickSeconds: 0.5 });
  const owner = await signUp(stack, "owner@example.com");
  const second = await signUp(stack, "second@example.com");

  /** The documents' client: two requests, the dataset named by a SHA-256 of the installation. */
  const send = async (
    user: TestUser,
    dataset: string,
    bytes: Uint8Array,
    some: Record<string, unknown>,
    query = "",
  ) => {
    const planned = await call(stack, "POST", `/battle-data/upload${query}`, {
      headers: user.headers,
      json: {
        dataset_id: dataset,
        period_tag: "0",
        file_size: bytes.length,
        content_hash: sha256(bytes),
        ...some,
      },
    });
    if (planned.status !== 200) return planned;
    return await call(stack, "PUT", planned.body.uploadUrl, { body: bytes as BodyInit });
  };
  const filesOf = async (user: TestUser, dataset: string, query = "") => {
    const path = `/battle-data/latest?dataset_id=${dataset}${query}`;
    return (await call(stack, "GET", path, { headers: user.headers })).body.files as {
      table: string;
      row_count: number;
      url: string;
    }[];
  };

  await t.step("uploads under the old name, also of slices, are the same uploads", async () => {
    const dataset = crypto.randomUUID();
    const one = tinyParquet([1]);
    const [a, b] = [tinyParquet([2]), tinyParquet([3])];
    const two = new Uint8Array([...a, ...b]);
    const offsets = (first: string) => ({
      table: first,
      table_offsets: [
        { table_name: first, start_byte: 0, byte_length: a.length },
        { table_name: "ships", start_byte: a.length, byte_length: b.length },
      ],
    });
    assert.equal((await send(owner, dataset, one, { table: "battles" })).status, 200);
    assert.equal((await send(owner, dataset, two, offsets("battles"))).status, 200);
    const rename = (user: TestUser, table: string, name: string) =>
      call(stack, "POST", `/battle-data/datasets/${dataset}/tables/${table}/rename`, {
        headers: user.headers,
        json: { name },
      });
    assert.equal((await rename(second, "battles", "fights")).body.code, "dataset_forbidden");
    assert.equal((await rename(owner, "battles", "ships")).body.code, "invalid_name");
    const wrong = await rename(owner, "battles", "a/b");
    assert.deepEqual([wrong.status, wrong.body.field], [400, "name"]);
    const renamed = await rename(owner, "battles", "fights");
    assert.deepEqual(renamed.body, { dataset_id: dataset, table: "fights", aliases: ["battles"] });

    for (const table of ["battles", "fights"]) {
      assert.equal((await send(owner, dataset, one, { table })).body.duplicate, true);
      assert.equal((await send(owner, dataset, two, offsets(table))).body.duplicate, true);
      const files = await filesOf(owner, dataset, `&table=${table}`);
      assert.deepEqual(files.map((file) => file.table), ["fights", "fights"]);
    }
    assert.equal((await send(owner, dataset, tinyParquet([4]), { table: "battles" })).status, 200);
    assert.equal((await send(owner, dataset, tinyParquet([5]), { table: "fights" })).status, 200);
    const files = await filesOf(owner, dataset);
    assert.deepEqual(
      files.map(({ table }) => table),
      ["fights", "fights", "fights", "fights", "ships"],
    );
    assert.equal(files.reduce((sum, { row_count }) => sum + row_count, 0), 5);
    for (const { url } of files) assert.equal((await fetch(url)).status, 200);
  });

  await t.step(
    "a second account on one installation has its uploads in a dataset of its own",
    async () => {
      const installation = createHash("sha256").update("a machine").digest("hex");
      const dataset = uuidOfDigest(installation);
      const mine = await send(owner, installation, tinyParquet([1]), { table: "battles" });
      assert.equal(mine.body.dataset_id, dataset);
      const theirs = await send(second, installation, tinyParquet([1]), { table: "battles" });
      assert.equal(theirs.status, 200);
      assert.equal(theirs.body.duplicate, false, "what the other account has sent is not asked");
      assert.notEqual(theirs.body.dataset_id, dataset);
      const again = await send(second, installation, tinyParquet([1]), { table: "battles" });
      assert.deepEqual([again.body.duplicate, again.body.dataset_id], [
        true,
        theirs.body.dataset_id,
      ]);
      const inOneRequest = await call(stack, "POST", "/battle-data/upload", {
        headers: second.headers,
        body: uploadForm(
          { dataset_id: installation, table: "battles", period_tag: "0" },
          tinyParquet([2]),
        ),
      });
      assert.equal(inOneRequest.body.dataset_id, theirs.body.dataset_id);
      assert.equal((await filesOf(second, theirs.body.dataset_id)).length, 2);
      assert.equal((await filesOf(owner, dataset)).length, 1, "nothing of it is in the owner's");
    },
  );

  await t.step(
    "a client that names datasets by UUIDs is refused, or asks for its own",
    async () => {
      const dataset = crypto.randomUUID();
      assert.equal((await send(owner, dataset, tinyParquet([1]), { table: "a" })).status, 200);
      const refused = await send(second, dataset, tinyParquet([2]), { table: "a" });
      assert.deepEqual([refused.status, refused.body.code], [403, "dataset_forbidden"]);
      const own = await send(second, dataset, tinyParquet([2]), { table: "a" }, "?own_dataset=1");
      assert.equal(own.status, 200);
      assert.notEqual(own.body.dataset_id, dataset);
    },
  );
});
