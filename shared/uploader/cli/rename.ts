/** `sediment rename`: another name for a table. */
import { renamed } from "./answers.ts";
import { callJson } from "./api.ts";
import { openProject } from "./open.ts";
import type { Command } from "./options.ts";
import { queryOf, selection } from "./selection.ts";
import { createTerminal } from "./terminal.ts";

/** `sediment rename` */
export const rename: Command = {
  name: "rename",
  says: "give a table of a dataset another name",
  synopsis: "TABLE NAME --dataset ID",
  teaches:
    `Readers are told the new name. Names that the table had stay its own: uploads and queries under them go
on, what is sent late under one is not stored twice, and no other table can have it. For the dataset's owner.`,
  examples: [["sediment rename battles fights --dataset 0b3f…", "battles stays an alias"]],
  options: { dataset: selection.dataset },
  arity: [2, 2],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const [table, name] = input.positionals as [string, string];
    const dataset = encodeURIComponent(queryOf(input).dataset_id);
    const path = `battle-data/datasets/${dataset}/tables/${encodeURIComponent(table)}/rename`;
    const answer = await callJson(await openProject(input), "POST", path, renamed, {
      body: { name },
    });
    if (input.is("json")) terminal.out(JSON.stringify(answer));
    else {
      const aliases = answer.aliases.join(", ");
      terminal.say(`${answer.table}${aliases === "" ? "" : `, also by ${aliases}`}`);
    }
    return 0;
  },
};
