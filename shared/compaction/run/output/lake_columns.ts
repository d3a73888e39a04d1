/** The columns that tell of each row in the lake which dataset and period it is of. */
import type { ConstantColumn } from "../../../parquet/format/constant_columns.ts";
import type { Claim, InputFile } from "../ports.ts";

/** Those of a partition's outputs, where its table is in the lake; both in all rows of a file. */
export function lakeColumns(
  { dataset_id, period_tag }: Pick<Claim, "dataset_id" | "period_tag">,
  { dataset_column, period_column }: NonNullable<Claim["settings"]["lake"]>,
): ConstantColumn[] {
  return [{ name: dataset_column, value: dataset_id }, { name: period_column, value: period_tag }];
}

/** How many of a file's last columns are such. */
export function givenColumns({ lake_version }: Pick<InputFile, "lake_version">): number {
  return lake_version === 1 ? 2 : 0;
}
