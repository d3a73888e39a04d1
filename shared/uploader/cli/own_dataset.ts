/** `--own-dataset`: where the dataset that was named is another account's, one of the user's own takes its place. */
import type { UploaderSettingsInput } from "../settings/settings.ts";
import type { Input, Option } from "./options.ts";
import type { Terminal } from "./terminal.ts";

/** The option of the commands that send. */
export const ownDataset: Option = {
  says: "where a dataset is another account's, one of your own takes its place",
};

/** What it sets. */
export function ownDatasetSettings(input: Input): NonNullable<UploaderSettingsInput["upload"]> {
  return input.is("own-dataset") ? { own_dataset: true } : {};
}

/**
 * Says where uploads went, since reading commands want the id.
 *
 * @param keys of what was stored
 * @param named the dataset that was asked for, of which nothing is said; null: each upload had one of its own to ask for
 */
export function sayDatasets(
  keys: Iterable<string>,
  named: string | null,
  terminal: Terminal,
): void {
  const datasets = new Set([...keys].map((key) => key.split("/")[1] ?? ""));
  if (named !== null) datasets.delete(named.toLowerCase());
  const whose = named === null ? "" : ", one of your own";
  for (const dataset of datasets) terminal.say(`stored in dataset ${dataset}${whose}`);
}
