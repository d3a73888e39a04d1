/** Random tables as files of four writers. */
import {
  DuckDBBlobValue,
  type DuckDBConnection,
  DuckDBListType,
  DuckDBListValue,
  DuckDBMapType,
  DuckDBStructType,
  DuckDBStructValue,
  type DuckDBType,
  DuckDBTypeId,
} from "@duckdb/node-api";
import { parquetWriteBuffer, type SchemaElement } from "hyparquet-writer";
import { join } from "node:path";
import polars from "nodejs-polars";
import { gzipSync } from "node:zlib";
import type { WasmPool } from "../../../shared/parquet/merge/decode/wasm_pool.ts";
import fc from "../../support/fast_check.ts";
import { type RandomTable, selectOf } from "./random_tables.ts";

/** How files are written. What a writer can't do (a codec, a column) is left out of its files. */
export const writers = fc.record({
  name: fc.constantFrom("DuckDB", "parquet-wasm", "polars", "hyparquet-writer"),
  codec: fc.constantFrom("snappy", "zstd", "gzip", "uncompressed", "lz4_raw", "brotli"),
  version: fc.constantFrom("V1", "V2"),
  dictionary: fc.boolean(),
  /** Of hyparquet-writer's columns that it fits. */
  delta: fc.boolean(),
});
export type Writer = typeof writers extends fc.Arbitrary<infer T> ? T : never;

/** What the writers stand on. */
export interface Desk {
  connection: DuckDBConnection;
  pool: WasmPool;
  folder: string;
  /** Names that were given out: DuckDB caches files by name and time of change. */
  files: number;
  /** Writer → files of it. */
  written: Map<string, number>;
}

/** A path for a new file. */
export function newPath(desk: Desk, name: string): string {
  return join(desk.folder, `${name}${desk.files++}.parquet`);
}

/** Writes each file of a table; gives their paths. */
export async function writeTable(
  desk: Desk,
  table: RandomTable,
  writer: Writer,
): Promise<string[]> {
  const paths: string[] = [];
  for (let i = 0; i < table.files.length; i++) {
    const path = newPath(desk, "in");
    await desk.connection.run(
      `copy (${selectOf(table, i)}) to '${path}' (format parquet, compression ${writer.codec}, ` +
        // arrow-rs does not read DuckDB's DELTA_BINARY_PACKED of large unsigned values
        `parquet_version ${writer.name === "DuckDB" ? writer.version : "V1"}, row_group_size 20` +
        `${writer.dictionary ? "" : ", dictionary_size_limit 0"})`,
    );
    const name = await rewrite(desk, path, writer) ? writer.name : "DuckDB";
    desk.written.set(name, (desk.written.get(name) ?? 0) + 1);
    paths.push(path);
  }
  return paths;
}

/** Writes DuckDB's file anew; false where nothing of it is for the writer. */
async function rewrite(desk: Desk, path: string, writer: Writer): Promise<boolean> {
  switch (writer.name) {
    case "parquet-wasm":
      await Deno.writeFile(
        path,
        desk.pool.rewrite(await Deno.readFile(path), {
          codec: "zstd",
          dictionary: writer.dictionary,
          pageBytes: 64,
          statistics: true,
        }),
      );
      return true;
    case "polars":
      return await byPolars(desk, path, writer);
    case "hyparquet-writer":
      return await byHyparquet(desk, path, writer);
  }
  return false;
}

/** Columns of a file with their types. */
async function columnsOf({ connection }: Desk, path: string) {
  const reader = await connection.runAndReadAll(`from '${path}'`);
  return reader.columnNames().map((name, i) => ({
    name,
    type: reader.columnType(i),
    data: reader.getColumns()[i] as unknown[],
  }));
}

function holdsMap(type: DuckDBType): boolean {
  if (type instanceof DuckDBListType) return holdsMap(type.valueType);
  if (type instanceof DuckDBStructType) return type.entryTypes.some(holdsMap);
  return type instanceof DuckDBMapType;
}

const polarsCodecs = { snappy: "snappy", zstd: "zstd", gzip: "gzip" } as const;

/** polars has no maps. */
async function byPolars(desk: Desk, path: string, { codec }: Writer): Promise<boolean> {
  const columns = (await columnsOf(desk, path)).filter(({ type }) => !holdsMap(type));
  if (columns.length === 0) return false;
  const compression = polarsCodecs[codec as keyof typeof polarsCodecs] ?? "uncompressed";
  const frame = polars.readParquet(path, { columns: columns.map(({ name }) => name) });
  // a file of its own: polars maps what it reads into its memory
  const other = `${path}.polars`;
  frame.writeParquet(other, { compression });
  await Deno.rename(other, path);
  return true;
}

const scalars: Partial<Record<DuckDBTypeId, Partial<SchemaElement>>> = {
  [DuckDBTypeId.BOOLEAN]: { type: "BOOLEAN" },
  [DuckDBTypeId.TINYINT]: { type: "INT32" },
  [DuckDBTypeId.SMALLINT]: { type: "INT32" },
  [DuckDBTypeId.INTEGER]: { type: "INT32" },
  [DuckDBTypeId.UTINYINT]: { type: "INT32" },
  [DuckDBTypeId.USMALLINT]: { type: "INT32" },
  [DuckDBTypeId.BIGINT]: { type: "INT64" },
  [DuckDBTypeId.FLOAT]: { type: "FLOAT" },
  [DuckDBTypeId.DOUBLE]: { type: "DOUBLE" },
  [DuckDBTypeId.VARCHAR]: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  [DuckDBTypeId.BLOB]: { type: "BYTE_ARRAY" },
};

/** A type as hyparquet-writer's schema; undefined where it has none. */
function elementsOf(name: string, type: DuckDBType): SchemaElement[] | undefined {
  const optional = { name, repetition_type: "OPTIONAL" as const };
  if (type instanceof DuckDBListType) {
    const element = elementsOf("element", type.valueType);
    return element && [
      { ...optional, num_children: 1, converted_type: "LIST" },
      { name: "list", repetition_type: "REPEATED", num_children: 1 },
      ...element,
    ];
  }
  if (type instanceof DuckDBStructType) {
    const fields = type.entryNames.map((entry, i) => elementsOf(entry, type.entryTypes[i]));
    if (fields.includes(undefined)) return undefined;
    return [{ ...optional, num_children: fields.length }, ...fields.flatMap((field) => field!)];
  }
  const scalar = scalars[type.typeId];
  return scalar && [{ ...optional, ...scalar }];
}

function plain(value: unknown): unknown {
  if (value instanceof DuckDBListValue) return value.items.map(plain);
  if (value instanceof DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([k, v]) => [k, plain(v)]));
  }
  return value instanceof DuckDBBlobValue ? value.bytes : value;
}

/** An encoding for a column's type. */
function encodingOf([{ type }, ...more]: SchemaElement[], delta: boolean) {
  if (more.length > 0 || !delta) return undefined;
  if (type === "INT32" || type === "INT64") return "DELTA_BINARY_PACKED" as const;
  if (type === "BYTE_ARRAY") return "DELTA_BYTE_ARRAY" as const;
  return type === "FLOAT" || type === "DOUBLE" ? "BYTE_STREAM_SPLIT" as const : undefined;
}

async function byHyparquet(desk: Desk, path: string, writer: Writer): Promise<boolean> {
  const columns = (await columnsOf(desk, path)).flatMap(({ name, type, data }) => {
    const elements = elementsOf(name, type);
    return elements === undefined ? [] : [{ name, elements, data: data.map(plain) }];
  });
  if (columns.length === 0) return false;
  const gzip = writer.codec === "gzip";
  const buffer = parquetWriteBuffer({
    columnData: columns.map(({ name, elements, data }) => ({
      name,
      data,
      encoding: encodingOf(elements, writer.delta),
      columnIndex: writer.dictionary,
    })),
    schema: [
      { name: "root", num_children: columns.length },
      ...columns.flatMap(({ elements }) => elements),
    ],
    rowGroupSize: 20,
    pageSize: 64,
    codec: gzip ? "GZIP" : writer.codec === "uncompressed" ? "UNCOMPRESSED" : "SNAPPY",
    compressors: { GZIP: (bytes) => new Uint8Array(gzipSync(bytes)) },
  });
  await Deno.writeFile(path, new Uint8Array(buffer));
  return true;
}
