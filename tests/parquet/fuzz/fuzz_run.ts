import { ParquetWasm } from "../../../shared/parquet/decode/wasm_instance.ts";
import { parquetWasmModule } from "../../../shared/parquet/decode/wasm_module.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect.ts";
import { fixtureBytes, fixtureNames } from "../fixtures.ts";
import { mixedRows, writeWithDuckDb } from "../sample_files.ts";
import { examine, type Verdict } from "./examine.ts";
import { mutate } from "./mutate.ts";
import { Oracle } from "./oracle.ts";
import { Random } from "./random.ts";

/** A sound file to start from, and how long it takes. */
interface Original {
  name: string;
  bytes: Uint8Array;
  ms: number;
}

/** A mutant that is of interest. */
export interface Finding {
  /** Index in the run: the same seed and index make the same mutant. */
  index: number;
  file: string;
  what: string;
  verdict: Verdict;
  bytes: Uint8Array;
}

export interface FuzzReport {
  seed: number;
  mutants: number;
  /** Outcome → how many. */
  outcomes: Record<string, number>;
  wrong: Finding[];
  /** Merged, but not as by DuckDB, which reads other rows or none. */
  disputed: Finding[];
  /** Over ten times the clean file's time and half a second. */
  slow: Finding[];
  oracleCrashes: number;
}

/**
 * Mutates files and examines each mutant.
 * @param only examines one index of the seed's mutants
 */
export async function fuzz(
  { seed, count, only, onProgress }: {
    seed: number;
    count: number;
    only?: number;
    onProgress?: (done: number, report: FuzzReport) => void;
  },
): Promise<FuzzReport> {
  const oracle = await Oracle.open();
  const report: FuzzReport = {
    seed,
    mutants: 0,
    outcomes: {},
    wrong: [],
    disputed: [],
    slow: [],
    oracleCrashes: 0,
  };
  try {
    const originals = await gatherOriginals(oracle);
    for (let index = only ?? 0; index < (only === undefined ? count : only + 1); index++) {
      const random = new Random(seed, index);
      const original = random.pick(originals);
      const { bytes, what } = mutate(original.bytes, random);
      const verdict = settled(what, await examine(bytes, oracle));
      const finding = { index, file: original.name, what, verdict, bytes };
      report.mutants++;
      report.outcomes[verdict.outcome] = (report.outcomes[verdict.outcome] ?? 0) + 1;
      if (verdict.outcome === "wrong") report.wrong.push(finding);
      if (["merged alone", "two against DuckDB", "not for DuckDB"].includes(verdict.outcome)) {
        report.disputed.push(finding);
      }
      if (verdict.ms > Math.max(500, 10 * original.ms)) report.slow.push(finding);
      onProgress?.(index + 1, report);
    }
  } finally {
    report.oracleCrashes = oracle.crashes;
    await oracle.close();
  }
  return report;
}

/**
 * Disputes that are settled: a V1 header that calls its levels BIT_PACKED is taken by its word here, as by
 * parquet-wasm, while DuckDB and hyparquet read every level stream as RLE.
 */
function settled(what: string, verdict: Verdict): Verdict {
  if (verdict.outcome !== "wrong" || !/LevelEncoding = 4$/.test(what)) return verdict;
  if (!verdict.detail.startsWith("rows differ")) return verdict;
  return { ...verdict, outcome: "two against DuckDB" };
}

/** Fixtures where they are, and files of our own: as written, and with pages that are not compressed. */
async function gatherOriginals(oracle: Oracle): Promise<Original[]> {
  const files: { name: string; bytes: Uint8Array }[] = fixtureNames().map((name) => ({
    name,
    bytes: fixtureBytes(name),
  }));
  const own = await writeWithDuckDb(mixedRows(0, 60));
  files.push({ name: "mixed rows", bytes: own });
  files.push({
    name: "mixed rows, V2 pages",
    bytes: await writeWithDuckDb(mixedRows(0, 60), "format parquet, parquet_version v2"),
  });
  const originals: Original[] = [];
  for (const file of files) {
    const plain = await uncompressed(file.bytes);
    const both = plain === undefined
      ? [file]
      : [file, { name: `${file.name}, plain`, bytes: plain }];
    for (const { name, bytes } of both) {
      await examine(bytes, oracle);
      const { ms } = await examine(bytes, oracle);
      originals.push({ name, bytes, ms });
    }
  }
  return originals;
}

/** The file with uncompressed pages, in which changed bytes reach levels and values. */
async function uncompressed(bytes: Uint8Array): Promise<Uint8Array | undefined> {
  if (inspectParquetBytes(bytes).rowCount === 0) return undefined;
  try {
    return new ParquetWasm(await parquetWasmModule()).rewrite(bytes, {
      codec: "uncompressed",
      dictionary: true,
      pageBytes: 1 << 20,
      statistics: true,
    });
  } catch {
    return undefined;
  }
}
