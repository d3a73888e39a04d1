import { strict as assert } from "node:assert";
import { join } from "node:path";
import fc from "../support/fast_check.ts";
import { createBattleDataApp } from "../../functions/battle-data/app.ts";
import { sha256 } from "../../shared/uploads/digests.ts";
import { packStage } from "../../shared/uploads/stage_upload.ts";
import { literal, openDuckdb } from "../support/duckdb.ts";
import { makeFragments } from "../support/fragments.ts";
import { alice, httpWorld } from "../support/http_world.ts";

/** By hand: `SEDIMENT_MUTATIONS=20000 deno test -A tests/functions/mutations_test.ts`. */
const runs = Number(Deno.env.get("SEDIMENT_MUTATIONS") ?? 2000);

const fixtures = new URL("../../../shared/fixtures/parquet/", import.meta.url);

/** Real files up to 60 KB: fixtures of other writers where they are at hand, and fragments of our own. */
async function originals(folder: string): Promise<Uint8Array[]> {
  const files = await makeFragments(folder, 3, 60);
  const found = await Promise.all(files.map(({ path }) => Deno.readFile(path)));
  try {
    for await (const { name } of Deno.readDir(fixtures)) {
      if (name.endsWith(".parquet")) found.push(await Deno.readFile(new URL(name, fixtures)));
    }
  } catch {
    console.log("no fixtures beside the checkout: only files of our own are mutated");
  }
  return found.filter(({ length }) => length < 60_000);
}

type Mutation =
  | { kind: "flip"; bit: number }
  | { kind: "set"; value: number }
  | { kind: "cut" }
  | { kind: "drop"; length: number }
  | { kind: "insert"; bytes: number[] };

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), bit: fc.nat(7) }),
  fc.record({ kind: fc.constant("set" as const), value: fc.nat(255) }),
  fc.record({ kind: fc.constant("cut" as const) }),
  fc.record({ kind: fc.constant("drop" as const), length: fc.integer({ min: 1, max: 16 }) }),
  fc.record({
    kind: fc.constant("insert" as const),
    bytes: fc.array(fc.nat(255), { minLength: 1, maxLength: 8 }),
  }),
);

/** Half of the mutations hit the last 400 bytes, where the footer is. */
const place = fc.record({
  inFooter: fc.boolean(),
  fraction: fc.double({ min: 0, max: 1, noNaN: true }),
});

function mutate(
  file: Uint8Array,
  mutation: Mutation,
  where: { inFooter: boolean; fraction: number },
) {
  const room = where.inFooter ? Math.min(400, file.length) : file.length;
  const at = Math.min(file.length - 1, Math.floor(file.length - room + room * where.fraction));
  const [before, after] = [file.subarray(0, at), file.subarray(at)];
  const copy = file.slice();
  switch (mutation.kind) {
    case "flip":
      copy[at] ^= 1 << mutation.bit;
      return copy;
    case "set":
      copy[at] = mutation.value;
      return copy;
    case "cut":
      return before.slice();
    case "drop":
      return new Uint8Array([...before, ...after.subarray(mutation.length)]);
    case "insert":
      return new Uint8Array([...before, ...mutation.bytes, ...after]);
  }
}

Deno.test(`${runs} mutated files: each answer is a 2xx that DuckDB reads or a 4xx with a code`, async () => {
  const folder = await Deno.makeTempDir({ prefix: "sediment-mutations-" });
  const duckdb = await openDuckdb(1);
  const { services, store } = httpWorld();
  const app = createBattleDataApp(services);
  const path = join(folder, "mutant.parquet");
  const reads = async (bytes: Uint8Array) => {
    await Deno.writeFile(path, bytes);
    try {
      await duckdb.run(`select bit_xor(hash(t)) from read_parquet(${literal(path)}) t`);
      return true;
    } catch {
      return false;
    }
  };
  try {
    const files: Uint8Array[] = [];
    for (const file of await originals(folder)) if (await reads(file)) files.push(file);
    const expires = new Date(Date.now() + 3_600_000);
    const tally = { taken: 0, refused: 0, disputed: 0 };
    await fc.assert(
      fc.asyncProperty(fc.nat(files.length - 1), mutation, place, async (which, how, where) => {
        const mutant = mutate(files[which], how, where);
        const contentHash = sha256(mutant);
        const staged = await services.catalog.stageUpload({
          user: alice,
          dataset: crypto.randomUUID(),
          table: "t",
          periodTag: "0",
          size: mutant.length,
          contentHash,
          offsetsDigest: "",
        });
        const request = {
          datasetId: crypto.randomUUID(),
          table: "t",
          periodTag: "0",
          size: mutant.length,
          contentHash,
          concatenated: false,
          slices: [{ table: "t", start: 0, length: mutant.length, format: "parquet" as const }],
        };
        const token = services.tokens.sign(
          "upload",
          packStage({
            stageId: staged.stage_id,
            userId: alice,
            objectKey: staged.object_key,
            request,
            duplicate: false,
          }),
          expires,
        );
        const response = await app.fetch(
          new Request(`http://edge.local/battle-data/upload/${staged.stage_id}?token=${token}`, {
            method: "PUT",
            body: mutant,
          }),
        );
        const body = await response.json();
        await store.deleteMany([staged.object_key]);
        if (response.status === 200) {
          tally.taken++;
          if (!await reads(mutant)) tally.disputed++;
        } else {
          tally.refused++;
          assert.ok(response.status >= 400 && response.status < 500, JSON.stringify(body));
          assert.ok(typeof body.code === "string" && body.code !== "", JSON.stringify(body));
        }
      }),
      { numRuns: runs, seed: 20261122, endOnFailure: true },
    );
    assert.ok(tally.taken > 0 && tally.refused > 0, JSON.stringify(tally));
    // Readers disagree about a few: DuckDB minds the wire type of a footer's numbers and looks into WKB.
    assert.ok(tally.disputed <= tally.taken * 0.03, JSON.stringify(tally));
  } finally {
    duckdb.closeSync();
    await Deno.remove(folder, { recursive: true });
  }
});
