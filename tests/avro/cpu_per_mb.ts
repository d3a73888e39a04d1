/**
 * Prints what converting a typical file of 5,000 rows × 22 columns costs: CPU milliseconds of its thread, cold (the first
 * conversion) and warm (the median of 40), by codec. `deno run -A tests/avro/cpu_per_mb.ts`
 */
import { median } from "../bench/median.ts";
import { avroToParquet } from "../../shared/avro/avro_to_parquet.ts";
import { readAvroBlocks } from "../../shared/avro/blocks.ts";
import { Zstd } from "../../shared/compression/zstd.ts";
import { readAvroHeader } from "../../shared/avro/header.ts";
import { avroLimitsWith } from "../../shared/avro/limits.ts";
import { RowReader } from "../../shared/avro/row_reader.ts";
import { avroFile, type Codec, codecs, record } from "./avro_writer.ts";

const MB = 1e6;

const schema = record({
  id: "long",
  at: { type: "long", logicalType: "timestamp-micros" },
  user: "string",
  kind: { type: "enum", name: "Kind", symbols: ["attack", "defence", "trade"] },
  score: "double",
  level: "int",
  won: "boolean",
  note: ["null", "string"],
  weight: ["null", "double"],
  parent: ["null", "long"],
  tags: { type: "array", items: "string" },
  attributes: { type: "map", values: "string" },
  place: record({ x: "float", y: "float", z: ["null", "float"] }, "Place"),
  hits: { type: "array", items: record({ t: "int", damage: "float" }, "Hit") },
  ...Object.fromEntries(
    Array.from({ length: 8 }, (_, n) => [`c${n}`, n % 2 ? "long" : "string"]),
  ),
});

function row(n: number) {
  return {
    id: BigInt(1e9 + n),
    at: 1_700_000_000_000_000n + BigInt(n) * 1000n,
    user: `user-${n * 7919 % 500}`,
    kind: ["attack", "defence", "trade"][n % 3],
    score: Math.sin(n) * 1000,
    level: n % 60,
    won: n % 2 === 0,
    note: n % 3 ? null : { string: `note number ${n}` },
    weight: n % 2 ? null : { double: Math.cos(n) },
    parent: n % 5 ? { long: BigInt(n) } : null,
    tags: ["x", "yy", "zzz"].slice(0, n % 4),
    attributes: n % 2 ? { a: "1", bb: "two" } : {},
    place: { x: n, y: n / 2, z: n % 2 ? null : { float: 1.5 } },
    hits: Array.from({ length: n % 3 }, (_, k) => ({ t: k, damage: k / 3 })),
    ...Object.fromEntries(
      Array.from({ length: 8 }, (_, k) => [
        `c${k}`,
        k % 2 ? BigInt((n * 31 + k) % 100_000) : `val${n * (k + 1) % 97}`,
      ]),
    ),
  };
}

/** What the main thread was on a CPU for, in ms; the clock where Linux's /proc is not there. */
function cpuMs(): number {
  try {
    return Number(Deno.readTextFileSync(`/proc/self/task/${Deno.pid}/schedstat`).split(" ")[0]) /
      1e6;
  } catch {
    return performance.now();
  }
}

const zstd = await Zstd.open();

async function measure(codec: Codec): Promise<void> {
  const file = avroFile(schema, Array.from({ length: 5_000 }, (_, n) => row(n)), codec, 500);
  let decoded = 0;
  for (const block of readAvroBlocks(file, { zstd })) decoded += block.data.length;
  const decode: number[] = [], whole: number[] = [];
  let parquetBytes = 0;
  for (let n = 0; n < 41; n++) {
    let start = cpuMs();
    parquetBytes = (await avroToParquet(file)).parquet.length;
    whole.push(cpuMs() - start);
    start = cpuMs();
    const header = readAvroHeader(file);
    const rows = new RowReader(header.schema, avroLimitsWith());
    for (const block of readAvroBlocks(file, { header, zstd })) {
      rows.open(block);
      rows.read();
    }
    decode.push(cpuMs() - start);
  }
  const cold = whole.shift()!;
  decode.shift();
  const warm = median(whole);
  console.log(
    `${codec}: ${file.length} B (${decoded} B decoded) → ${parquetBytes} B of Parquet; ` +
      `cold ${cold.toFixed(0)} ms; warm ${warm.toFixed(1)} ms = ` +
      `${(warm / (decoded / MB)).toFixed(0)} ms per decoded MB, of it reading ` +
      `${median(decode).toFixed(1)} ms`,
  );
}

const only = Deno.args[0] as Codec | undefined;
for (const codec of only ? [only] : codecs) await measure(codec);
