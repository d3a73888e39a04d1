/** Shapes of the field that the bench's own table does not have: `bench merge --shapes extra`. */
import avro from "avsc";
import { join } from "node:path";
import { avroToParquet } from "../../../shared/avro/avro_to_parquet.ts";
import { type FileSet, listFiles, writeFiles } from "./data.ts";
import { copyOf, type Shape, target } from "./shapes.ts";

/** Columns over the rows of fragments.sql, whose `id` counts them. */
const selects: Record<string, { what: string; select: string; set: Omit<FileSet, "columns"> }> = {
  wide: {
    what: "200 × 50 rows of 2,000 columns",
    select: [
      "id",
      ...Array.from({ length: 1999 }, (_, c) => `(id * ${c} % 1000)::integer as c${c}`),
    ]
      .join(", "),
    set: { files: 200, rowsEach: 50 },
  },
  uuids: {
    what: "300 × 1,000 rows of six uuids",
    select: Array.from({ length: 6 }, (_, c) => `md5(id::varchar || '${c}')::uuid as u${c}`).join(
      ", ",
    ),
    set: { files: 300, rowsEach: 1000, duckdb: "snappy" },
  },
  times: {
    what: "300 × 1,000 rows of timestamps and decimals",
    select: Array.from(
      { length: 4 },
      (_, c) =>
        `make_timestamp(1735689600000000 + id * ${1000003 + c}) as t${c}, ` +
        `make_timestamp(id * ${1000 + c})::timestamptz as z${c}, (id * ${
          c + 1
        }.25)::decimal(18, 4) as d${c}, ` +
        `(hash(id + ${c}) % 1000000000000)::decimal(30, 6) as w${c}`,
    ).join(", "),
    set: { files: 300, rowsEach: 1000, duckdb: "snappy" },
  },
  structs: {
    what: "200 × 1,000 rows of lists of structs",
    select:
      "id, list_transform(range(id % 6), x -> {'a': x * id, 'b': 'name ' || (x * id % 500), " +
      "'c': case when x % 3 = 0 then null else x / 7 end, 'd': {'e': id % 100}}) as l",
    set: { files: 200, rowsEach: 1000 },
  },
  nested: {
    what: "200 × 1,000 rows of lists of lists",
    select: "id, list_transform(range(id % 5), x -> range(x * id % 7)) as l, " +
      "list_transform(range(id % 3), x -> list_transform(range(x + 1), y -> 'v' || (id + y) % 300)) as s",
    set: { files: 200, rowsEach: 1000 },
  },
  sensors: {
    what: "300 × 1,000 rows of sixteen doubles",
    select: "id, " + Array.from(
      { length: 16 },
      (_, c) => `sin(id / ${c + 3}.0) * ${c + 1} + (hash(id + ${c}) % 1000) / 1e5 as d${c}`,
    ).join(", "),
    set: { files: 300, rowsEach: 1000 },
  },
  gzip: {
    what: "100 × 5,000 rows in gzip",
    select: "*",
    set: { files: 100, rowsEach: 5000, duckdb: "gzip" },
  },
  brotli: {
    what: "100 × 5,000 rows in brotli",
    select: "*",
    set: { files: 100, rowsEach: 5000, duckdb: "brotli" },
  },
};

/** Names of the shapes in the order of the table. */
export const extraNames = [...Object.keys(selects), "avro"];

/** Makes a shape's files, if they are not there; undefined for a name that is none of these. */
export async function makeExtraShape(data: string, name: string): Promise<Shape | undefined> {
  const folder = join(data, name);
  const one = selects[name];
  if (one === undefined) return name === "avro" ? await avroShape(folder) : undefined;
  await writeFiles(folder, { ...one.set, columns: () => one.select });
  return await shapeOf(name, one.what, folder, one.set.files * one.set.rowsEach);
}

async function shapeOf(name: string, what: string, folder: string, rows: number): Promise<Shape> {
  return {
    name,
    what,
    must: 0.85,
    aim: 0.6,
    files: await listFiles(folder),
    plan: { target, expectedRows: rows },
    duckdb: copyOf(folder),
  };
}

/** Fragments that came as Avro: what the upload makes of them. */
async function avroShape(folder: string): Promise<Shape> {
  const files = 300, rowsEach = 500;
  await Deno.mkdir(folder, { recursive: true });
  const type = avro.Type.forSchema({
    type: "record",
    name: "battle",
    fields: [
      { name: "id", type: "long" },
      { name: "at", type: { type: "long", logicalType: "timestamp-micros" } },
      { name: "name", type: "string" },
      { name: "note", type: ["null", "string"] },
      { name: "score", type: "double" },
      { name: "ships", type: { type: "array", items: "int" } },
      { name: "won", type: "boolean" },
    ],
  });
  for (let f = 0; f < files; f++) {
    const path = join(folder, `f${String(f).padStart(5, "0")}.parquet`);
    if (await Deno.stat(path).then(() => true, () => false)) continue;
    const rows = Array.from({ length: rowsEach }, (_, i) => {
      const id = f * rowsEach + i;
      return {
        id,
        at: 1735689600000000 + id * 1000003,
        name: `map ${id % 40}`,
        note: id % 3 === 0 ? null : `note ${(id * 7919) % 100_003}`,
        score: id / 7,
        ships: [id % 5, id % 7, id % 11],
        won: id % 2 === 0,
      };
    });
    const chunks: Uint8Array[] = [];
    const encoder = new avro.streams.BlockEncoder(type, { codec: "deflate" });
    const ended = new Promise((resolve) => encoder.on("end", resolve));
    encoder.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    for (const row of rows) encoder.write(row);
    encoder.end();
    await ended;
    const bytes = new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
    await Deno.writeFile(path, (await avroToParquet(bytes)).parquet);
  }
  return await shapeOf("avro", "300 × 500 rows that came as Avro", folder, files * rowsEach);
}
