import { SedimentError } from "../../../errors.ts";
import type { MergeOrder } from "../merge_plan.ts";
import type { SchemaTree } from "../../format/schema.ts";
import { leafType } from "../../format/schema_text.ts";
import { valueOrder, valueOrders } from "../../format/value_order.ts";
import type { RowOrder } from "./row_sorter.ts";

/** Keys that the kernels hold at once (assembly/sort_keys.ts, MOST_KEYS). */
const mostKeys = 16;

/** Keys by name → by index of the output's leaves. Throws `invalid_config` for a key that can't be one. */
export function rowOrder(order: MergeOrder, schema: SchemaTree): RowOrder {
  const leafOf = (path: readonly string[]): number => {
    const index = schema.leaves.findIndex((leaf) =>
      leaf.path.length === path.length && leaf.path.every((name, i) => name === path[i])
    );
    if (index === -1 || schema.leaves[index].repetitionLevel > 0) {
      throw new SedimentError(
        "invalid_config",
        `the key ${path.join(".")} is not a column of single values`,
        { field: path.join("."), expected: "a column of the table that is not inside of a list" },
      );
    }
    return index;
  };
  const sortable = (path: readonly string[]): number => {
    const index = leafOf(path);
    const leaf = schema.leaves[index];
    if (valueOrder(leaf) === valueOrders.none && leaf.logical?.kind !== "UNKNOWN") {
      throw new SedimentError(
        "invalid_config",
        `the sort key ${path.join(".")} has the type ${
          leafType(leaf)
        }, whose values the format gives no order`,
        {
          field: path.join("."),
          expected: "a column whose type has an order, such as a timestamp that is no INT96",
        },
      );
    }
    return index;
  };
  const keys = order.sort.length + (order.dedupe?.length ?? 0);
  if (keys > mostKeys) {
    throw new SedimentError("invalid_config", `the table has ${keys} sort and dedupe keys`, {
      expected: `${mostKeys} at most, of both together`,
    });
  }
  return {
    sort: order.sort.map(({ path, descending }) => ({
      leaf: sortable(path),
      descending: descending ?? false,
    })),
    dedupe: (order.dedupe ?? []).map(leafOf),
  };
}
