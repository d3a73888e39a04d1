/** Files that differ from one in their schema only: what an app makes that changes from release to release. */
import { chunkExtent } from "../../../shared/parquet/inspect/check_chunks.ts";
import type { FooterFacts } from "../../../shared/parquet/inspect/inspect.ts";
import { joinGroups } from "../../../shared/parquet/merge/decode/joined_file.ts";
import { merge } from "../../../shared/parquet/merge/merge.ts";
import { elementsOf } from "../../../shared/parquet/write/schema_elements.ts";
import { bytesReader } from "../../../shared/parquet/format/range_reader.ts";
import type { SchemaJson } from "../../../shared/parquet/format/schema_json.ts";
import { MemorySink } from "../memory_sink.ts";

/**
 * The file with its columns in the opposite order and every second one left out; undefined where it has one column. Its
 * pages are the file's own.
 */
export function reorderedAndFewer(
  bytes: Uint8Array,
  { footer, tree }: FooterFacts,
): Uint8Array | undefined {
  const { metadata } = footer;
  const kept = tree.root.children.filter((_, i) => i % 2 === 0).reverse();
  if (kept.length === 0 || tree.root.children.length < 2) return undefined;
  const [root] = elementsOf(tree);
  const elements = elementsOf({ root: { ...tree.root, children: kept }, leaves: [] });
  const leaves = kept.flatMap(({ firstLeaf, leafCount }) =>
    Array.from({ length: leafCount }, (_, i) => firstLeaf + i)
  );
  return joinGroups(
    metadata.rowGroups.filter(({ numRows }) => numRows > 0).map(({ numRows, columns }) => ({
      numRows,
      chunks: leaves.map((leaf) => {
        const meta = columns[leaf].metaData!;
        const { start, length } = chunkExtent(meta);
        return {
          meta: { ...meta, bloomFilterOffset: undefined, bloomFilterLength: undefined },
          bytes: bytes.subarray(start, start + length),
        };
      }),
    })),
    {
      schema: [{ ...root, numChildren: kept.length }, ...elements.slice(1)],
      // it has another schema than the one that its file was written from
      keyValues: metadata.keyValues?.filter(({ key }) => key !== "ARROW:schema"),
      columnOrders: undefined,
    },
  );
}

/** The file with its 32-bit numbers and milliseconds made wider; undefined where it has none. */
export async function widened(
  bytes: Uint8Array,
  { schema, rowCount }: FooterFacts,
): Promise<Uint8Array | undefined> {
  const wider = widenedJson(schema);
  if (JSON.stringify(wider) === JSON.stringify(schema)) return undefined;
  const sink = new MemorySink();
  const { rejected } = await merge(
    {
      inputs: [{ id: "file", level: 0 }],
      target: { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "snappy" },
      schema: wider,
      expectedRows: rowCount,
    },
    new Map([["file", bytesReader(bytes)]]),
    sink,
  );
  return rejected.length > 0 ? undefined : sink.bytes();
}

/** The JSON of a schema with the wider type for each leaf that has one, other than in a layout of its own. */
function widenedJson(json: SchemaJson): SchemaJson {
  if (json.spelling !== undefined && json.logical !== undefined && json.children !== undefined) {
    return json;
  }
  if (json.children !== undefined) {
    return { ...json, children: json.children.map(widenedJson) };
  }
  if (json.spelling !== undefined && json.spelling !== "converted") return json;
  const { type, logical } = json;
  if (logical === undefined && json.spelling === undefined) {
    if (type === "INT32") return { ...json, type: "INT64" };
    return type === "FLOAT" ? { ...json, type: "DOUBLE" } : json;
  }
  const millis = /^(TIMESTAMP|TIME)\(MILLIS,(\w+)\)$/.exec(logical ?? "");
  if (millis === null) return json;
  return { ...json, type: "INT64", logical: `${millis[1]}(MICROS,${millis[2]})` };
}
