/** Outputs of the merge for other readers: each with the query by which DuckDB finds the same rows in the inputs. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { join } from "node:path";
import { inspectParquetBytes } from "../../../../shared/parquet/inspect/inspect.ts";
import { merge } from "../../../../shared/parquet/merge/merge.ts";
import { bytesReader } from "../../../../shared/parquet/format/range_reader.ts";
import { schemaJson } from "../../../../shared/parquet/format/schema_json.ts";
import { unionSchema } from "../../../../shared/parquet/merge/union/union_schema.ts";
import { MemorySink } from "../../memory_sink.ts";
import { mixedRows } from "../../sample_files.ts";
import { mergeBytes, type PathName, paths } from "../merge_bytes.ts";

/** An output on disk. */
export interface MergedFile {
  name: string;
  path: string;
  /** A query over the inputs that gives the output's rows in order. */
  expected: string;
}

const files = 6;
const rowsEach = 100;

/** Rows of all common types with what the sample lacks: −0, NaN, bytes, nanoseconds, years before 1970, deep nesting. */
function rowsFrom(from: number): string {
  return `select *,
    case id % 4 when 0 then -(0.0::double) when 1 then 'NaN'::double when 2 then '-Infinity'::double
      else null end as odd,
    case when id % 9 = 0 then '' else repeat('é', (id % 5)::integer) end as s_short,
    case when id % 8 = 0 then null else unhex(substr(md5(id::varchar), 1, 2 * (id % 9)::integer)) end as bytes,
    make_timestamp((id - 300) * 86400000123) as before,
    (timestamp_ns '1969-12-31 23:59:59.123456789' + to_seconds(id)) as nanos,
    case when id % 6 = 0 then null
      else list_transform(range(id % 4), x -> case when x = 2 then null else range(x) end) end as deep,
    map(['a' || (id % 3), 'b'], [range(id % 3), null]) as lists
    from (${mixedRows(from, rowsEach)})`;
}

async function writeInputs(
  connection: DuckDBConnection,
  folder: string,
  prefix: string,
  compression: string,
  columns: (file: number) => string = () => "*",
): Promise<{ bytes: Uint8Array[]; from: string }> {
  const names: string[] = [];
  for (let i = 0; i < files; i++) {
    names.push(join(folder, `${prefix}-in${i}.parquet`));
    await connection.run(
      `copy (select ${columns(i)} from (${rowsFrom(i * rowsEach)})) to '${names[i]}' ` +
        `(format parquet, compression ${compression})`,
    );
  }
  return {
    bytes: await Promise.all(names.map((path) => Deno.readFile(path))),
    from: `read_parquet([${names.map((path) => `'${path}'`).join(", ")}], union_by_name = true)`,
  };
}

/** The last row of each seq, sorted. */
const order = {
  sort: [{ path: ["s_low"] }, { path: ["id"], descending: true }],
  dedupe: [["seq"]],
};

/** Makes the outputs in one codec. */
export async function mergedFiles(
  connection: DuckDBConnection,
  folder: string,
  codec: "snappy" | "zstd",
): Promise<MergedFile[]> {
  const made: MergedFile[] = [];
  const add = async (name: string, output: Uint8Array, expected: string) => {
    const path = join(folder, `${codec}-${made.length}.parquet`);
    await Deno.writeFile(path, output);
    made.push({ name: `${name}, ${codec}`, path, expected });
  };

  const same = await writeInputs(connection, folder, codec, codec);
  for (const way of Object.keys(paths) as PathName[]) {
    const { output } = await mergeBytes(
      same.bytes,
      files * rowsEach,
      { settings: way === "page by page" ? { ...paths[way], pageRows: 30 } : paths[way] },
      codec,
    );
    await add(way, output, `from ${same.from}`);
  }

  const sorted = await mergeBytes(same.bytes, files * rowsEach, {}, codec, order);
  // as text, since DuckDB's sort makes −0 a 0
  const last = `select * exclude (n) from (select * replace (odd::varchar as odd), ` +
    `row_number() over () as n from ${same.from}) ` +
    `qualify row_number() over (partition by seq order by n desc) = 1 ` +
    `order by s_low nulls last, id desc`;
  await add(
    "sorted and deduped",
    sorted.output,
    `select * replace (odd::double as odd) from (${last})`,
  );

  const narrow = "id::integer as id, seq::smallint as seq, dec::decimal(9, 2) as dec, " +
    "* exclude (id, seq, dec, u8)";
  const fewer = "* exclude (li, st, s_note, before)";
  const mixed = await writeInputs(
    connection,
    folder,
    `mixed-${codec}`,
    codec,
    (file) => ["*", narrow, fewer][file % 3],
  );
  await add("widened", await mergeByName(mixed.bytes, codec), `from ${mixed.from}`);
  return made;
}

async function mergeByName(inputs: Uint8Array[], codec: "snappy" | "zstd"): Promise<Uint8Array> {
  const sink = new MemorySink();
  const result = await merge(
    {
      inputs: inputs.map((_, i) => ({ id: `${i}`, level: 0 })),
      target: { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec },
      expectedRows: files * rowsEach,
      schema: schemaJson(unionSchema(inputs.map((bytes) => inspectParquetBytes(bytes).tree))),
    },
    new Map(inputs.map((bytes, i) => [`${i}`, bytesReader(bytes)])),
    sink,
  );
  if (result.rejected.length > 0) throw result.rejected[0].error;
  return sink.bytes();
}
