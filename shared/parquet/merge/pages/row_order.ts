import { SedimentError } from "../../../errors.ts";
import type { SchemaTree } from "../../format/schema.ts";
import { leafType } from "../../format/schema_text.ts";
import { valueOrder, valueOrders } from "../../format/value_order.ts";
import type { RowOrder } from "./row_sorter.ts";

/** How the rows of an output are ordered. Keys are flat columns of the output. */
export interface MergeOrder {
  /** Sort keys, the first one first; nulls come last, rows of equal keys keep the order of the inputs. */
  sort: { path: readonly string[]; descending?: boolean }[];
  /**
   * Of rows whose values in these columns are equal, bit for bit, only the last one in the order of the inputs is
   * kept. All rows must fit into one sort range then.
   */
  dedupe?: (readonly string[])[];
}

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
