/** Rows that were taken from the kernels' columns, and the record batch that they make. */
import * as arrow from "apache-arrow";
import type { SchemaNode, SchemaTree } from "../../parquet/format/schema.ts";
import { fieldView } from "../../parquet/merge/union/field_view.ts";
import { SedimentError } from "../../errors.ts";
import type { LaidOut } from "../arrow/leaf_data.ts";
import { columnData, type Levels } from "../arrow/nested_data.ts";
import { copyLaidOut } from "./copy_laid_out.ts";
import type { ReaderKernels } from "./reader_kernels.ts";

/** What was taken of one column. */
export interface TakenColumn {
  laidOut: LaidOut;
  /** Where they say what of the groups above is null or empty. */
  levels: Levels | undefined;
}

/**
 * Copies what the kernels have just taken.
 *
 * @param carries whether the leaf's levels are wanted
 */
export function copyTaken(kernels: ReaderKernels, leaf: SchemaNode, carries: boolean): TakenColumn {
  return {
    laidOut: copyLaidOut(kernels, leaf),
    levels: carries ? copyLevels(kernels, leaf) : undefined,
  };
}

/**
 * The batch of rows that were taken of every column.
 *
 * @param tree of the rows' columns
 * @param schema the same as Arrow has it
 */
export function recordBatch(
  rows: number,
  tree: SchemaTree,
  schema: arrow.Schema,
  taken: readonly TakenColumn[],
): arrow.RecordBatch {
  const leaves = {
    laidOut: (leaf: number) => taken[leaf].laidOut,
    levels: (leaf: number) => taken[leaf].levels!,
  };
  const levelOf = (leaf: number) => tree.leaves[leaf].repetitionLevel;
  const children = tree.root.children.map((node, i) => {
    const data = columnData(fieldView(node), schema.fields[i].type, leaves, levelOf);
    if (data.length !== rows) {
      throw new SedimentError("internal", `${node.name} has ${data.length} rows of ${rows}`);
    }
    return data;
  });
  const type = new arrow.Struct(schema.fields);
  const data = arrow.makeData({ type, length: rows, nullCount: 0, children });
  return new arrow.RecordBatch(schema, data);
}

function copyLevels(
  kernels: ReaderKernels,
  { definitionLevel, repetitionLevel }: SchemaNode,
): Levels {
  const count = kernels.arrow.arrowLevels();
  const copy = (max: number, at: number) =>
    max === 0 ? undefined : kernels.bytes(at, count).slice();
  return {
    count,
    defs: copy(definitionLevel, kernels.arrow.arrowDefs()),
    reps: copy(repetitionLevel, kernels.arrow.arrowReps()),
  };
}
