import { ParquetWasm } from "../../../shared/parquet/merge/decode/wasm_instance.ts";
import { parquetWasmModule } from "../../../shared/parquet/merge/decode/parquet_wasm.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { fixtureBytes, fixtureNames } from "../fixtures.ts";
import { mixedRows, writeWithDuckDb } from "../sample_files.ts";
import { type PathName, paths } from "../core/merge_bytes.ts";
import { faultAmong, type Neighbour, neighbour } from "./among_neighbours.ts";
import { examine, reasonOf, type Verdict } from "./examine.ts";
import { mutate } from "./mutate.ts";
import { Oracle } from "./oracle.ts";
import { peakAbove } from "../peak_memory.ts";
import { Random } from "./random.ts";

/** A sound file to start from, and how long it takes. */
interface Original {
  name: string;
  bytes: Uint8Array;
  ms: number;
  sound: Neighbour;
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
  /** What refusals name beside the file → how many. */
  places: Record<string, number>;
  /** Mutants that the checks at upload take. */
  accepted: number;
  /** Why DuckDB doesn't read one that was accepted → how many. */
  unreadable: Record<string, number>;
  /** Bytes by which the process grew at most while a mutant was checked and merged. */
  growth: number;
  wrong: Finding[];
  /** Merged, but not as by DuckDB, which reads other rows or none. */
  disputed: Finding[];
  /** Over ten times the clean file's time and half a second, also when tried again. */
  slow: Finding[];
  oracleCrashes: number;
}

/** Most that a mutant may make the process grow, bytes. */
const mostGrowth = 128 * 1024 * 1024;

/**
 * Mutates files and examines each mutant: alone, and between two sound files on one of the merge's paths.
 * @param from index of the first mutant; `count` of them are examined
 */
export async function fuzz(
  { seed, from = 0, count, onProgress }: {
    seed: number;
    from?: number;
    count: number;
    onProgress?: (done: number, report: FuzzReport) => void;
  },
): Promise<FuzzReport> {
  const oracle = await Oracle.open();
  const report: FuzzReport = {
    seed,
    mutants: 0,
    outcomes: {},
    places: {},
    accepted: 0,
    unreadable: {},
    growth: 0,
    wrong: [],
    disputed: [],
    slow: [],
    oracleCrashes: 0,
  };
  try {
    const originals = await gatherOriginals(oracle);
    for (let index = from; index < from + count; index++) {
      const random = new Random(seed, index);
      const original = random.pick(originals);
      const { bytes, what } = mutate(original.bytes, random);
      const way = random.pick(Object.keys(paths) as PathName[]);
      const verdict = settled(what, await examined(original, bytes, way, oracle, report));
      const finding = { index, file: original.name, what, verdict, bytes };
      tally(report, finding);
      if (isSlow(verdict, original)) report.slow.push(finding);
      onProgress?.(index + 1 - from, report);
    }
  } finally {
    report.oracleCrashes = oracle.crashes;
    await oracle.close();
  }
  return report;
}

async function examined(
  original: Original,
  bytes: Uint8Array,
  way: PathName,
  oracle: Oracle,
  report: FuzzReport,
): Promise<Verdict> {
  let verdict!: Verdict, fault: string | undefined;
  const growth = await peakAbove(async () => {
    verdict = await examine(bytes, oracle);
    if (verdict.outcome === "wrong") return;
    // what DuckDB does not read must not take a merged file with it
    const ways = verdict.unreadable === undefined ? [way] : new Set([way, "copied" as const]);
    for (const one of ways) {
      fault ??= await faultAmong(original.sound, bytes, verdict.rows, one, oracle);
    }
  });
  report.growth = Math.max(report.growth, growth);
  if (verdict.outcome === "wrong") return verdict;
  if (fault === undefined && growth > mostGrowth) fault = `the process grew by ${growth} bytes`;
  if (fault !== undefined) return { ...verdict, outcome: "wrong", detail: fault };
  if (isSlow(verdict, original)) return { ...verdict, ms: (await examine(bytes, oracle)).ms };
  return verdict;
}

function isSlow({ ms }: Verdict, original: Original): boolean {
  return ms > Math.max(500, 10 * original.ms);
}

function tally(report: FuzzReport, finding: Finding): void {
  const add = (counts: Record<string, number>, key: string) => counts[key] = (counts[key] ?? 0) + 1;
  const { outcome, place, accepted, unreadable } = finding.verdict;
  report.mutants++;
  add(report.outcomes, outcome);
  if (place !== undefined) add(report.places, place === "" ? "file" : `file ${place}`);
  if (accepted) report.accepted++;
  if (unreadable !== undefined) add(report.unreadable, reasonOf(unreadable));
  if (outcome === "wrong") report.wrong.push(finding);
  const disputed = ["merged alone", "two against DuckDB", "not for DuckDB", "zstd differs"];
  if (disputed.includes(outcome) || unreadable !== undefined) report.disputed.push(finding);
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
      const { ms, outcome, detail } = await examine(bytes, oracle);
      if (outcome === "wrong") throw new Error(`${name}, unchanged: ${detail}`);
      originals.push({ name, bytes, ms, sound: await neighbour(bytes, oracle) });
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
