import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import fc from "../support/fast_check.ts";
import { createBattleDataApp } from "../../functions/battle-data/app.ts";
import { sha256 } from "../../shared/uploads/digests.ts";
import { packStage } from "../../shared/uploads/stage_upload.ts";
import { avroFile, codecs } from "../avro/avro_writer.ts";
import { literal, openDuckdb } from "../support/duckdb.ts";
import { makeFragments } from "../support/fragments.ts";
import { alice, httpWorld } from "../support/http_world.ts";

/** By hand: `SEDIMENT_MUTATIONS=20000 deno test -A tests/functions/mutations_test.ts`. */
const all = Number(Deno.env.get("SEDIMENT_MUTATIONS") ?? 2000);

/** Real files up to 60 KB: fixtures of other writers where they are at hand, and files of our own. */
const originals = {
  async parquet(folder: string): Promise<Uint8Array[]> {
    const files = await makeFragments(folder, 3, 60);
    return await Promise.all(files.map(({ path }) => Deno.readFile(path)));
  },
  avro(): Promise<Uint8Array[]> {
    const values = Array.from({ length: 40 }, (_, n) => ({
      id: BigInt(n),
      score: n / 7,
      note: n % 3 === 0 ? null : { string: `note ${n}` },
      tags: Array.from({ length: n % 4 }, (_, tag) => `tag ${tag}`),
      counts: n % 2 === 0 ? {} : { a: n, b: -n },
      kind: n % 5 === 0 ? "A" : "B",
      hash: Buffer.alloc(8, n),
      day: n * 100,
      price: Buffer.from([n, 255 - n]),
    }));
    return Promise.resolve(codecs.map((codec) => avroFile(schema, values, codec, 7)));
  },
};

/** One of everything that Avro has. */
const schema = {
  type: "record",
  name: "Row",
  fields: [
    { name: "id", type: "long" },
    { name: "score", type: "double" },
    { name: "note", type: ["null", "string"] },
    { name: "tags", type: { type: "array", items: "string" } },
    { name: "counts", type: { type: "map", values: "int" } },
    { name: "kind", type: { type: "enum", name: "Kind", symbols: ["A", "B"] } },
    { name: "hash", type: { type: "fixed", name: "Hash", size: 8 } },
    { name: "day", type: { type: "int", logicalType: "date" } },
    { name: "price", type: { type: "bytes", logicalType: "decimal", precision: 6, scale: 2 } },
  ],
};

type Format = keyof typeof originals;

async function filesOf(format: Format, folder: string): Promise<Uint8Array[]> {
  const found = await originals[format](folder);
  try {
    const fixtures = new URL(`../../../shared/fixtures/${format}/`, import.meta.url);
    for await (const { name } of Deno.readDir(fixtures)) {
      if (name.endsWith(`.${format}`)) found.push(await Deno.readFile(new URL(name, fixtures)));
    }
  } catch {
    console.log(`no ${format} beside the checkout: only files of our own are mutated`);
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

for (const [format, runs] of [["parquet", all], ["avro", all / 4]] as const) {
  const name = `${runs} mutated ${format} files: each answer is a 2xx that DuckDB reads or a 4xx`;
  Deno.test(name, () => mutateAll(format, runs));
}

async function mutateAll(format: Format, runs: number): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sediment-mutations-" });
  const duckdb = await openDuckdb(1);
  const { services, store } = httpWorld();
  const app = createBattleDataApp(services);
  let count = 0;
  const reads = async (bytes: Uint8Array) => {
    // A name of its own each time: DuckDB keeps what it read of a file, and looks no closer than at its time.
    const path = join(folder, `${++count}.parquet`);
    await Deno.writeFile(path, bytes);
    try {
      await duckdb.run(`select bit_xor(hash(t)) from read_parquet(${literal(path)}) t`);
      return true;
    } catch {
      return false;
    } finally {
      await Deno.remove(path);
    }
  };
  /** Sends a file through both steps; gives the answer and what was stored. */
  const upload = async (mutant: Uint8Array) => {
    const described = {
      table: "t",
      periodTag: "0",
      size: mutant.length,
      contentHash: sha256(mutant),
    };
    const staged = await services.catalog.stageUpload({
      ...described,
      user: alice,
      dataset: crypto.randomUUID(),
      offsetsDigest: "",
    });
    const token = services.tokens.sign(
      "upload",
      packStage({
        stageId: staged.stage_id,
        userId: alice,
        objectKey: staged.object_key,
        request: {
          ...described,
          datasetId: crypto.randomUUID(),
          concatenated: false,
          slices: [{ table: "t", start: 0, length: mutant.length, format }],
        },
        duplicate: false,
      }),
      new Date(Date.now() + 3_600_000),
    );
    const response = await app.fetch(
      new Request(`http://edge.local/battle-data/upload/${staged.stage_id}?token=${token}`, {
        method: "PUT",
        body: mutant as BodyInit,
      }),
    );
    const stored = response.status === 200 ? await store.get(staged.object_key) : undefined;
    await store.deleteMany([staged.object_key]);
    return { status: response.status, body: await response.json(), stored };
  };
  try {
    const files: Uint8Array[] = [];
    for (const file of await filesOf(format, folder)) {
      const { stored } = await upload(file);
      if (stored !== undefined && await reads(stored)) files.push(file);
    }
    assert.ok(files.length >= 3);
    const tally = { taken: 0, refused: 0, disputed: 0 };
    await fc.assert(
      fc.asyncProperty(fc.nat(files.length - 1), mutation, place, async (which, how, where) => {
        const { status, body, stored } = await upload(mutate(files[which], how, where));
        if (stored !== undefined) {
          tally.taken++;
          if (!await reads(stored)) tally.disputed++;
        } else {
          tally.refused++;
          assert.ok(status >= 400 && status < 500, JSON.stringify(body));
          assert.ok(typeof body.code === "string" && body.code !== "", JSON.stringify(body));
        }
      }),
      { numRuns: runs, seed: 20261122, endOnFailure: true },
    );
    assert.ok(tally.taken > 0 && tally.refused > 0, JSON.stringify(tally));
    // Readers disagree about a few: DuckDB minds the wire type of a footer's numbers and looks into WKB. What we
    // wrote ourselves, of Avro, it reads.
    const disputable = format === "parquet" ? tally.taken * 0.03 : 0;
    assert.ok(tally.disputed <= disputable, JSON.stringify(tally));
    if (Deno.env.has("SEDIMENT_MUTATIONS")) console.log(JSON.stringify(tally), Deno.memoryUsage());
  } finally {
    duckdb.closeSync();
    await Deno.remove(folder, { recursive: true });
  }
}
