/** `sediment dead`: what was refused for good or has expired. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { about } from "../pending/pending_item.ts";
import type { PendingItem } from "../pending/pending_record.ts";
import type { Uploader } from "../uploader.ts";
import { openUploader } from "./open.ts";
import { type Command, type Input, UsageError } from "./options.ts";
import { itemTable } from "./pending.ts";
import { createTerminal, type Terminal } from "./terminal.ts";

const actions = ["list", "show", "export", "requeue", "drop"];

/** `sediment dead` */
export const dead: Command = {
  name: "dead",
  says: "what was refused for good or has expired: list, show, export, requeue, drop",
  synopsis: "[list | show ID | export | requeue | drop] [ID… | --all]",
  teaches:
    `Dead items are those that the service refused for good, that were tried too often, or whose bytes were
changed; expired ones could not be sent in time. They keep their bytes until they are dropped.
IDs may be shortened as long as they are unique. \`requeue\` gives them a new life (then: retry).`,
  examples: [
    ["sediment dead", "lists them, with the reason"],
    ["sediment dead show 3fa9", "one, with everything that is known"],
    ["sediment dead export --all --out rescued/", "writes their bytes and records as files"],
    ["sediment dead requeue --all && sediment retry", "tries again"],
  ],
  options: {
    all: { says: "every dead and expired item" },
    out: { value: "DIR", says: "where export writes (default: the current folder)" },
  },
  words: actions,
  arity: [0, Infinity],
  async run(input) {
    const [action = "list", ...ids] = input.positionals;
    if (!actions.includes(action)) {
      throw new UsageError(`dead can ${actions.join(", ")}, not ${action}`);
    }
    const terminal = createTerminal(input.is("json"));
    const uploader = await openUploader(input, { offline: true });
    try {
      const items = await uploader.dead();
      if (action === "list") return list(items, input, terminal);
      const chosen = input.is("all") ? items : ids.map((id) => oneOf(items, id));
      if (chosen.length === 0 && !input.is("all")) {
        throw new UsageError(`dead ${action} wants IDs, or --all`);
      }
      return await act(action, chosen, uploader, input, terminal);
    } finally {
      await uploader.stop();
    }
  },
};

function list(items: PendingItem[], input: Input, terminal: Terminal): number {
  if (input.is("json")) { for (const item of items) terminal.out(JSON.stringify(item)); }
  else if (items.length === 0) terminal.out("nothing is dead");
  else for (const line of itemTable(items, terminal)) terminal.out(line);
  return items.length === 0 ? 0 : 1;
}

async function act(
  action: string,
  items: PendingItem[],
  uploader: Uploader,
  input: Input,
  terminal: Terminal,
): Promise<number> {
  const ids = items.map((item) => item.id);
  if (action === "show") {
    for (const item of items) terminal.out(JSON.stringify(item, null, input.is("json") ? 0 : 2));
    return 0;
  }
  if (action === "export") return await exportItems(items, uploader, input, terminal);
  const done = action === "requeue" ? await uploader.requeue(ids) : await uploader.drop(ids);
  const missed = ids.filter((id) => !done.includes(id));
  if (input.is("json")) terminal.out(JSON.stringify({ [action]: done, missed }));
  else {
    terminal.say(`${action === "requeue" ? "re-queued" : "dropped"} ${done.length}`);
    for (const id of missed) terminal.say(`not ${id}: its record doesn't say where to`);
  }
  return missed.length === 0 ? 0 : 1;
}

async function exportItems(
  items: PendingItem[],
  uploader: Uploader,
  input: Input,
  terminal: Terminal,
): Promise<number> {
  const folder = input.text("out") ?? ".";
  await mkdir(folder, { recursive: true });
  let failed = 0;
  for (const item of items) {
    const { table, period_tag } = about(item);
    // The whole id: of ten thousand items two would share eight digits, and one overwrite the other.
    const name = [table ?? "item", period_tag ?? "", item.id].filter(Boolean).join("-");
    const extension = item.context.kind === "fragment" ? item.context.format ?? "parquet" : "bin";
    try {
      const path = join(folder, `${name}.${extension}`);
      await writeFile(path, await uploader.bytes(item.id));
      await writeFile(join(folder, `${name}.json`), JSON.stringify(item, null, 1));
      terminal.out(input.is("json") ? JSON.stringify({ id: item.id, path }) : path);
    } catch (error) {
      failed++;
      terminal.say(`${item.id}: ${(error as Error).message}`);
    }
  }
  return failed === 0 ? 0 : 1;
}

function oneOf(items: PendingItem[], prefix: string): PendingItem {
  const found = items.filter((item) => item.id.startsWith(prefix.toLowerCase()));
  if (found.length === 1) return found[0];
  throw new UsageError(
    found.length === 0
      ? `no dead item begins with ${prefix}`
      : `${found.length} dead items begin with ${prefix}`,
  );
}
