/** The order of a table's rows, from its settings. */
import { SedimentError } from "../../errors.ts";
import type { MergeOrder } from "../../parquet/merge/pages/row_order.ts";

/**
 * Most rows of an output that is sorted, or of which the last writers are kept: no more than the merge sorts at once
 * (`sortRows` of its settings), nor than an output tells the origins of where each row has another (`mostRuns`).
 */
export const maxSortedRows = 500_000;

/**
 * What the merge is told of a table's `sort_keys` and `dedupe_keys`: column names, a sort key with ` desc`
 * behind it when it falls.
 *
 * @returns undefined when the rows stay in upload order
 * @throws SedimentError `invalid_config` for a sort key that is empty
 */
export function mergeOrderOf(
  settings: { sort_keys: string[]; dedupe_keys: string[] },
): MergeOrder | undefined {
  const { sort_keys, dedupe_keys } = settings;
  if (sort_keys.length === 0 && dedupe_keys.length === 0) return undefined;
  return {
    sort: sort_keys.map((key) => {
      const [, name, direction] = /^(.*?)(?:\s+(asc|desc))?\s*$/is.exec(key)!;
      if (name === "") {
        throw new SedimentError("invalid_config", "A sort key of the table is empty", {
          field: "sort_keys",
          expected: 'column names, each with " desc" behind it when it falls',
        });
      }
      return { path: [name], descending: direction?.toLowerCase() === "desc" };
    }),
    ...(dedupe_keys.length === 0 ? {} : { dedupe: dedupe_keys.map((name) => [name]) }),
  };
}
