/** `sediment ls`: the data files of a dataset. */
import { listFiles } from "./api.ts";
import { openProject } from "./open.ts";
import type { Command } from "./options.ts";
import { queryOf, selection } from "./selection.ts";
import { bytes, createTerminal, table } from "./terminal.ts";

/** `sediment ls` */
export const ls: Command = {
  name: "ls",
  says: "the data files of a dataset, as readers see them",
  synopsis: "--dataset ID [--table NAME]",
  teaches:
    `Lists the files that a version of the dataset shows: fragments (level 0) and what compaction made of
them. Their rows together are exactly the rows of all acknowledged uploads.`,
  examples: [["sediment ls --dataset 0b3f1c58-… --table battle", "one table's files"]],
  options: selection,
  arity: [0, 0],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const query = queryOf(input);
    const { version, files } = await listFiles(await openProject(input), query);
    if (input.is("json")) {
      for (const file of files) terminal.out(JSON.stringify(file));
      return 0;
    }
    const rows = files.map((file) => [
      file.id,
      file.table,
      file.period_tag,
      file.level,
      file.state,
      file.row_count,
      file.row_group_count,
      bytes(file.size),
    ]);
    const head = ["id", "table", "period", "level", "state", "rows", "groups", "size"];
    for (const line of table(head, rows)) terminal.out(line);
    const total = files.reduce((sum, file) => sum + file.size, 0);
    const count = files.reduce((sum, file) => sum + file.row_count, 0);
    terminal.say(`version ${version}: ${files.length} files, ${count} rows, ${bytes(total)}`);
    return 0;
  },
};
