import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { merge } from "../../../shared/parquet/merge/merge.ts";
import { bytesReader } from "../../../shared/parquet/format/range_reader.ts";
import { type SchemaTree, schemaTree } from "../../../shared/parquet/format/schema.ts";
import { schemaJson } from "../../../shared/parquet/format/schema_json.ts";
import { unionSchema } from "../../../shared/parquet/merge/union/union_schema.ts";
import { openDuckDb, rowsOf } from "../duckdb_rows.ts";
import { MemorySink } from "../memory_sink.ts";

/** The schema of a file. */
export function treeOf(file: Uint8Array): SchemaTree {
  return schemaTree(footerOfBytes(file).metadata.schema);
}

/** Merges files into the union of their schemas. */
export async function mergeUnited(files: Uint8Array[]) {
  const schema = schemaJson(unionSchema(files.map(treeOf)));
  const sink = new MemorySink();
  const expectedRows = files.reduce((sum, file) => sum + footerOfBytes(file).metadata.numRows, 0);
  const result = await merge(
    {
      inputs: files.map((_, i) => ({ id: `${i}`, level: 0 })),
      target: { rowGroupBytes: 1 << 22, pageBytes: 1 << 20, codec: "snappy" },
      schema,
      expectedRows,
    },
    new Map(files.map((file, i) => [`${i}`, bytesReader(file)])),
    sink,
  );
  return { result, output: sink.bytes() };
}

/** The rows of our merge, and those that DuckDB reads from all the files by name. */
export async function bothUnions(files: Uint8Array[], output: Uint8Array) {
  const folder = await Deno.makeTempDir();
  const { connection, close } = await openDuckDb();
  try {
    await Deno.writeFile(`${folder}/merged.parquet`, output);
    const paths: string[] = [];
    for (const [i, file] of files.entries()) {
      paths.push(`'${folder}/${i}.parquet'`);
      await Deno.writeFile(`${folder}/${i}.parquet`, file);
    }
    const ours = await rowsOf(connection, `from read_parquet('${folder}/merged.parquet')`);
    const theirs = await rowsOf(
      connection,
      `from read_parquet([${paths.join(",")}], union_by_name = true)`,
    );
    return { ours, theirs };
  } finally {
    close();
    await Deno.remove(folder, { recursive: true });
  }
}
