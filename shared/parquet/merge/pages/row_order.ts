import { SedimentError } from "../../../errors.ts";
import type { MergeOrder } from "../merge_plan.ts";
import type { SchemaTree } from "../../format/schema.ts";
import type { RowOrder } from "./row_sorter.ts";

/** Keys by name → by index of the output's leaves. Throws `misconfigured` for a key that can't be one. */
export function rowOrder(order: MergeOrder, schema: SchemaTree): RowOrder {
  const leafOf = (path: readonly string[]): number => {
    const index = schema.leaves.findIndex((leaf) =>
      leaf.path.length === path.length && leaf.path.every((name, i) => name === path[i])
    );
    if (index === -1 || schema.leaves[index].repetitionLevel > 0) {
      throw new SedimentError(
        "misconfigured",
        `the key ${path.join(".")} is not a column of single values`,
        { field: path.join("."), expected: "a column of the table that is not inside of a list" },
      );
    }
    return index;
  };
  return {
    sort: order.sort.map(({ path, descending }) => ({
      leaf: leafOf(path),
      descending: descending ?? false,
    })),
    dedupe: (order.dedupe ?? []).map(leafOf),
  };
}
