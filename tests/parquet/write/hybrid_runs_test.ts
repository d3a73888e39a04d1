/** The runs that levels and indices are written in; DuckDB reads others more slowly. */
import { strict as assert } from "node:assert";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { codec, encoding, pageType } from "../../../shared/parquet/format/metadata.ts";
import { readPageHeader } from "../../../shared/parquet/format/page_header.ts";
import { schemaTree } from "../../../shared/parquet/format/schema.ts";
import { mergeBytes } from "../core/merge_bytes.ts";
import { writeWithDuckDb } from "../sample_files.ts";

/** A run of the RLE / bit-packed hybrid; a packed one's last group may be filled up. */
interface Run {
  packed: boolean;
  count: number;
}

/** All runs in `bytes`, of values of `width` bits. */
function runsOf(bytes: Uint8Array, width: number): Run[] {
  const runs: Run[] = [];
  for (let at = 0; at < bytes.length;) {
    let header = 0, shift = 0, byte: number;
    do {
      byte = bytes[at++];
      header |= (byte & 127) << shift;
      shift += 7;
    } while (byte > 127);
    const packed = (header & 1) === 1;
    runs.push({ packed, count: packed ? (header >> 1) * 8 : header >> 1 });
    at += packed ? (header >> 1) * width : (width + 7) >> 3;
  }
  return runs;
}

/** Each page's streams of levels, and of indices, of the first column of a file without compression. */
function streamsOf(file: Uint8Array): { levels: Run[][]; indices: Run[][] } {
  const { metadata } = footerOfBytes(file);
  const [leaf] = schemaTree(metadata.schema).leaves;
  const streams = { levels: [] as Run[][], indices: [] as Run[][] };
  for (const { columns: [{ metaData }] } of metadata.rowGroups) {
    assert.equal(metaData!.codec, codec.UNCOMPRESSED);
    let at = metaData!.dictionaryPageOffset!;
    for (let values = 0; values < metaData!.numValues;) {
      const header = readPageHeader(file, at);
      let body = file.subarray(
        at + header.headerLength,
        at += header.headerLength + header.compressedSize,
      );
      if (header.type === pageType.DICTIONARY_PAGE) continue;
      assert.equal(header.encoding, encoding.RLE_DICTIONARY);
      values += header.numValues;
      for (const most of [leaf.repetitionLevel, leaf.definitionLevel]) {
        if (most === 0) continue;
        const end = 4 + new DataView(body.buffer, body.byteOffset).getUint32(0, true);
        streams.levels.push(runsOf(body.subarray(4, end), 32 - Math.clz32(most)));
        body = body.subarray(end);
      }
      streams.indices.push(runsOf(body.subarray(1), body[0]));
    }
  }
  return streams;
}

async function streamsOfMerged(column: string, rows: number) {
  const file = await writeWithDuckDb(`select ${column} as x from range(${rows}) t(i)`);
  const { output } = await mergeBytes([file], rows, { settings: { healthyBytes: Infinity } });
  return streamsOf(output);
}

const columns = {
  "a column with nulls":
    "case when hash(i) % 4 = 0 then null else (hash(i + 9) % 900)::integer end",
  "lists": "list_transform(range((hash(i) % 5)::bigint), k -> (hash(i + k) % 700)::integer)",
};
for (const [what, column] of Object.entries(columns)) {
  Deno.test(`no packed run of ${what} has more than 256 values, and levels go by 32 until the last run`, async () => {
    const { levels, indices } = await streamsOfMerged(column, 60_000);
    for (const runs of [...levels, ...indices]) {
      const packed = runs.filter((run) => run.packed);
      assert.ok(packed.length > 50, "there are packed runs");
      assert.deepEqual(packed.filter((run) => run.count > 256), []);
    }
    for (const runs of levels) {
      assert.deepEqual(runs.slice(0, -1).filter((run) => run.count % 32 !== 0), []);
    }
  });
}

Deno.test("a column without nulls has one run of levels a page", async () => {
  const { levels } = await streamsOfMerged("(hash(i) % 900)::integer", 60_000);
  assert.deepEqual(levels, [[{ packed: false, count: 40_960 }], [{
    packed: false,
    count: 19_040,
  }]]);
});

Deno.test("8 equal values among others make a run where an index has 4 bits or more, and are packed where it has fewer", async () => {
  for (const [entries, repeats] of [[8, 0], [16, 125]]) {
    const { indices } = await streamsOfMerged(
      `(hash(case when i % 64 < 8 then i // 64 else i + 1000000 end) % ${entries})::integer`,
      8_000,
    );
    assert.equal(indices.flat().filter((run) => !run.packed).length, repeats, `${entries} entries`);
  }
});
