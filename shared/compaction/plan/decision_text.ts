/** A plan in words, as it is kept with the run. */
import type { MergePath } from "./chunk_paths.ts";

/** What {@link decisionText} is told of a plan. */
export interface DecisionFacts {
  outputs: {
    inputs: unknown[];
    bytes: number;
    reason: string;
    paths: Record<MergePath, { chunks: number }>;
    cost: { cpuMs: number };
  }[];
  /** Files of the partition, and schemas of those that are active. */
  files: number;
  schemas: number;
  /** What is left alone, group by group. */
  notes: string[];
  nextDueAt: Date | null;
}

/** One line for people: what is merged and why, what it should cost, what is left alone and until when. */
export function decisionText(facts: DecisionFacts): string {
  const { outputs, files, schemas, notes, nextDueAt } = facts;
  const parts: string[] = [];
  if (outputs.length === 0) {
    parts.push(`Nothing to do with ${filesText(files)}`);
  } else {
    const inputs = outputs.reduce((sum, { inputs }) => sum + inputs.length, 0);
    const bytes = outputs.reduce((sum, output) => sum + output.bytes, 0);
    const cpuMs = outputs.reduce((sum, { cost }) => sum + cost.cpuMs, 0);
    const reasons = [...new Set(outputs.map(({ reason }) => reason))].join("; ");
    parts.push(
      `Merge ${inputs} of ${filesText(files)} (${bytesText(bytes)}, about ${
        Math.ceil(cpuMs)
      } ms of CPU, ${schemas} schema${
        schemas === 1 ? "" : "s"
      }) into ${outputs.length}: ${reasons}`,
      pathsText(outputs.map(({ paths }) => paths)),
    );
  }
  if (notes.length > 0) parts.push(`Left alone: ${notes.join("; ")}`);
  if (nextDueAt !== null) parts.push(`Due next at ${nextDueAt.toISOString()}`);
  return parts.join(". ") + ".";
}

const pathTexts: Record<MergePath, string> = {
  copy: "copied as they are",
  check: "copied once each page was looked at",
  pages: "merged page by page",
  decode: "decoded and encoded again first",
};

/** How the column chunks are taken. */
function pathsText(outputs: Record<MergePath, { chunks: number }>[]): string {
  const counts = (Object.keys(pathTexts) as MergePath[])
    .map((path) => ({
      path,
      chunks: outputs.reduce((sum, paths) => sum + paths[path].chunks, 0),
    }))
    .filter(({ chunks }) => chunks > 0);
  const all = counts.reduce((sum, { chunks }) => sum + chunks, 0);
  if (all === 0) return "There are no column chunks in them";
  if (counts.length === 1) return `All ${all} column chunks are ${pathTexts[counts[0].path]}`;
  const each = counts.map(({ path, chunks }) => `${chunks} are ${pathTexts[path]}`);
  return `Of ${all} column chunks ${each.join(", ")}`;
}

/** A text's beginning, without the full stop at its end. */
export function cutText(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text.replace(/\.$/, "");
}

/** `1 file`, `2 files`. */
export function filesText(count: number): string {
  return count === 1 ? "1 file" : `${count} files`;
}

/** Bytes in the unit that suits them. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
