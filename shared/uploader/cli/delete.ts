/** `sediment delete`: takes a dataset, a table, a period or an upload out of the service. */
import { setTimeout } from "node:timers/promises";
import type * as z from "zod/mini";
import { receipt } from "./answers.ts";
import { callJson, getJson } from "./api.ts";
import { onInterrupt } from "./on_interrupt.ts";
import { openProject, type Project } from "./open.ts";
import { type Command, type Input, UsageError } from "./options.ts";
import { plainText } from "../plain_text.ts";
import { queryOf, selection } from "./selection.ts";
import { bytes, createTerminal } from "./terminal.ts";

/** Between two questions where the deletion is. */
const pollMs = 2_000;

type Receipt = z.infer<typeof receipt>;

const { dataset, table, period } = selection;

/** `sediment delete` */
export const deleteData: Command = {
  name: "delete",
  says: "delete a dataset, a table, a period or an upload at the server",
  synopsis: "--dataset ID [--table NAME] [--period TAG] | --upload ID",
  teaches:
    `Deletes what is named, for all who read it: it is in no newer version. Older versions keep it for the
service's retention, unless --purge ends them at once. --confirm takes the last thing named once more (the
period, else the table, else the dataset or upload); without it nothing is deleted, and what would be is said.
A dataset's id stays taken. An upload that was merged goes within minutes, when the service has written
its files anew. Exit code 0 when all is done, 3 while the service is still at work.`,
  examples: [
    ["sediment delete --dataset 0b3f… --table battles --confirm battles", "all of a table"],
    ["sediment delete --dataset 0b3f… --confirm 0b3f… --purge --wait", "everything, and at once"],
  ],
  options: {
    dataset,
    table,
    period,
    upload: { value: "ID", says: "one upload: the last part of its key, without .parquet" },
    confirm: { value: "NAME", says: "the last thing named, once more" },
    purge: { says: "delete the bytes and all older versions now" },
    wait: { says: "until the service has done all of it" },
  },
  arity: [0, 0],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const { path, words, name } = wishOf(input);
    const asked = input.text("confirm");
    if (asked !== name) {
      const why = asked === undefined ? "nothing is deleted yet" : "that is another name";
      throw new UsageError(`${words}: ${why}; --confirm ${name} deletes it for all who read it`);
    }
    const project = await openProject(input);
    const purge = input.is("purge") ? "now" : undefined;
    let told = await callJson(project, "DELETE", path, receipt, { query: { purge } });
    if (input.is("wait")) told = await ended(project, told);
    if (input.is("json")) terminal.out(JSON.stringify(told));
    else {
      const { files, rows, state, deletion_id } = told;
      terminal.say(
        `deleted ${words}: ${rows} rows in ${files} files, ${bytes(told.bytes)}; ` +
          (told.done ? "done" : `${state}, the service goes on`) + ` (receipt ${deletion_id})`,
      );
    }
    return told.done ? 0 : 3;
  },
};

/** Path below the functions, the wish in words, and the name that confirms it. @throws UsageError */
function wishOf(input: Input): { path: string; words: string; name: string } {
  const [tableName, tag, upload] = ["table", "period", "upload"].map((name) => input.text(name));
  if (upload !== undefined) {
    if ((input.text("dataset") ?? tableName ?? tag) !== undefined) {
      throw new UsageError(
        "--upload names one upload by itself: no --dataset, --table or --period",
      );
    }
    const path = `battle-data/uploads/${encodeURIComponent(upload)}`;
    return { path, words: plainText(`upload ${upload}`), name: upload };
  }
  const { dataset_id } = queryOf(input);
  const parts = [["datasets", dataset_id], ["tables", tableName], ["periods", tag]] as const;
  const named = parts.filter(([, name]) => name !== undefined) as [string, string][];
  return {
    path: `battle-data/${
      named.map(([kind, name]) => `${kind}/${encodeURIComponent(name)}`).join("/")
    }`,
    words: plainText(named.map(([kind, name]) => `${kind.slice(0, -1)} ${name}`).join(", ")),
    name: named.at(-1)![1],
  };
}

/** The receipt once nothing is left to be done, or when Ctrl-C ends the wait. */
async function ended(project: Project, first: Receipt): Promise<Receipt> {
  const interrupted = new AbortController();
  const endSignals = onInterrupt(() => interrupted.abort());
  let told = first;
  try {
    while (!told.done && !interrupted.signal.aborted) {
      await setTimeout(pollMs, undefined, { signal: interrupted.signal }).catch(() => {});
      const path = `battle-data/deletions/${encodeURIComponent(told.deletion_id)}`;
      told = await getJson(project, path, receipt);
    }
  } finally {
    endSignals();
  }
  return told;
}
