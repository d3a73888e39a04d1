/** Files that a merge can't take apart within its memory, and what their owner is told. */
import { MiB } from "../../parquet/format/healthy_group.ts";
import { apartMarkOf } from "./apart_files.ts";
import { type PlanFile, type PlanSettings, sorts } from "./data_file.ts";
import { bytesText, cutText, filesText } from "./decision_text.ts";
import { type MergeCost, mergeCost } from "./merge_cost.ts";
import type { MergeWork } from "./merge_work.ts";

/** Why a file is oversized. */
export type Oversize =
  /** All of it, for one turn. */
  | { kind: "work"; cost: MergeCost }
  /** Column chunks, more than an output may have. */
  | { kind: "chunks"; chunks: number }
  /** A row group that must be in memory whole, or a page of it, by what it takes there. */
  | { kind: "group" | "page" | "decode"; bytes: number }
  /** A merge has found that there is no memory for it, even alone. */
  | { kind: "memory"; bytes: number; reason: string };

/** A row group that is larger before compression can't wait in memory whole, as it must to be sorted. */
const sortedGroupBytes = 46 * MiB;

/**
 * The largest row group, before compression, that is taken apart where nothing is known of its pages: its writer may have
 * made one page of each column, and then all of them are in memory together.
 */
const unknownPagesBytes = 64 * MiB;

/**
 * MB that a merge may take for large pages: the core's own bound, half of an isolate. A page is in memory whole, packed,
 * unpacked and as values that wait, because pages of the output are cut only once it has been read to its end.
 */
const mergeMb = 128;

/** Pages that take less together are not what makes a merge large. */
const lightPages = 8 * MiB;

/** The decoder holds a chunk three times; the merge has these limits too and rejects what is over them. */
const decodedBytes = { file: 96 * MiB, chunk: 32 * MiB, written: 40 * MiB };

/** See the module's head. @param work of the file alone */
export function oversizeOf(
  file: PlanFile,
  work: MergeWork,
  settings: PlanSettings,
): Oversize | undefined {
  const mark = apartMarkOf(file);
  if (mark?.kind === "memory") {
    return { kind: "memory", bytes: file.uncompressed_bytes, reason: mark.reason };
  }
  const { paths, decodedFile, decodedChunk } = work;
  const mean = file.uncompressed_bytes / Math.max(1, file.row_group_count);
  const group = file.merge_facts?.largest_group ?? mean;
  if (sorts(settings) && group > sortedGroupBytes) return { kind: "group", bytes: group };
  const page = Math.max(work.checkedPage, work.joinedPage, work.joinedPages);
  if (page > lightPages && mergeCost(work).memoryMb > mergeMb) {
    return { kind: "page", bytes: page };
  }
  if (!file.merge_facts && paths.copy.chunks === 0 && group > unknownPagesBytes) {
    return { kind: "group", bytes: group };
  }
  const decoded = paths.decode.plainBytes;
  if (
    decodedChunk > decodedBytes.chunk || decodedFile > decodedBytes.written ||
    (decoded > 0 && file.uncompressed_bytes > decodedBytes.file)
  ) {
    return { kind: "decode", bytes: Math.max(decoded, file.uncompressed_bytes) };
  }
  return undefined;
}

/** The files that are left alone for what is too much in them, kind by kind; each names its worst. */
export function oversizedText(oversized: ReadonlyMap<PlanFile, Oversize>): string[] {
  const kinds = Map.groupBy(oversized, ([, { kind }]) => kind);
  return [...kinds.values()].map((all) => {
    const worst = all.reduce((one, other) => weightOf(other[1]) > weightOf(one[1]) ? other : one);
    return `${filesText(all.length)} ${oversizeText(...worst)}`;
  });
}

function weightOf(oversize: Oversize): number {
  if (oversize.kind === "work") return oversize.cost.cpuMs;
  return oversize.kind === "chunks" ? oversize.chunks : oversize.bytes;
}

function oversizeText(file: PlanFile, oversize: Oversize): string {
  const name = `file ${file.id}`;
  switch (oversize.kind) {
    case "work": {
      const { cpuMs, memoryMb } = oversize.cost;
      return `of more work than one turn can do (${name}: ${file.row_count} rows, ` +
        `about ${Math.ceil(cpuMs)} ms of CPU and ${Math.ceil(memoryMb)} MB)`;
    }
    case "chunks":
      return `with more column chunks than an output may have (${name}: ${oversize.chunks})`;
    case "memory":
      return `for which a merge had no memory, readable as they are (${name}: ${
        cutText(oversize.reason, 200)
      })`;
    case "group":
      return `with row groups too large to be taken apart in memory (${name}: ` +
        `${bytesText(oversize.bytes)} in one)`;
    case "page":
      return `with pages too large to be taken apart in memory, readable as they are (${name}: ` +
        `${bytesText(oversize.bytes)} at once; writers that cut pages at 1 MiB avoid it)`;
    case "decode":
      return `too large for what their pages need: to be decoded and encoded again (${name}: ` +
        `${bytesText(oversize.bytes)})`;
  }
}
