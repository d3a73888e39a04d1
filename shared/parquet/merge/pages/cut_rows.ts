import { codec } from "../../format/metadata.ts";
import type { MergeSettings } from "./merge_settings.ts";

/** Consecutive rows in the order of an output. */
export interface RowRange {
  from: number;
  rows: number;
}

/** A row group may be larger than its target by this part, so that none is a small remainder. */
const overTarget = 0.25;

/** How far a cut may be moved to where a key changes, of the rows of a row group. */
const within = 1 / 8;

/** About how large pages by zstd are beside those by snappy. */
const zstdSize = 0.75;

/**
 * Cuts sorted rows into row groups of about the target size, of equally many rows. A cut is moved to where the first sort
 * key changes when that is near: then a filter by equality reads one of the two row groups and not both.
 *
 * @param bytes of all rows as snappy packs them, about
 * @param keyChange the nearest place, at most so far away, where the first sort key changes from one row to the next
 */
export function cutRows(
  rows: number,
  bytes: number,
  settings: Pick<MergeSettings, "codec" | "rowGroupBytes" | "rowGroupRows">,
  keyChange?: (at: number, most: number) => number,
): RowRange[] {
  if (rows === 0) return [];
  const written = settings.codec === codec.ZSTD ? bytes * zstdSize : bytes;
  const groups = Math.min(
    rows,
    Math.max(
      1,
      Math.ceil(written / settings.rowGroupBytes - overTarget),
      Math.ceil(rows / settings.rowGroupRows),
    ),
  );
  const ranges: RowRange[] = [];
  let from = 0;
  for (let group = 1; group <= groups; group++) {
    let to = Math.round(rows * group / groups);
    if (group < groups && keyChange) to = keyChange(to, Math.floor(rows / groups * within));
    if (to > from) ranges.push({ from, rows: to - from });
    from = Math.max(from, to);
  }
  return ranges;
}
