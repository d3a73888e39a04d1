/** Which files of a dataset a reading command means. */
import process from "node:process";
import { type Input, type Option, UsageError } from "./options.ts";

/** Options of the commands that read. */
export const selection: Record<string, Option> = {
  dataset: { value: "ID", says: "the dataset's UUID (or SEDIMENT_DATASET)" },
  table: { value: "NAME", says: "one table" },
  period: { value: "TAG", says: "one period tag" },
  from: { value: "TAG", says: "first period tag" },
  to: { value: "TAG", says: "last period tag" },
  "as-of": { value: "N", says: "as of a version (default: the newest)" },
};

/** The query of a manifest. */
export interface ManifestQuery extends Record<string, string | undefined> {
  dataset_id: string;
}

/** The query that was asked for. @throws UsageError */
export function queryOf(input: Input): ManifestQuery {
  const dataset = input.text("dataset") ?? process.env.SEDIMENT_DATASET;
  if (!dataset) throw new UsageError("--dataset is needed, the UUID of the dataset");
  const version = input.text("as-of");
  if (version !== undefined && !/^\d{1,15}$/.test(version)) {
    throw new UsageError(`--as-of is ${version}; expected the number of a version, as ls says it`);
  }
  return {
    dataset_id: dataset,
    table: input.text("table"),
    period_tag: input.text("period"),
    from: input.text("from"),
    to: input.text("to"),
    version,
  };
}
