/** `sediment dead`: what was refused for good or has expired. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { about } from "../pending/pending_item.ts";
import type { PendingItem } from "../pending/pending_record.ts";
import type { Uploader } from "../uploader.ts";
import { openOffline } from "./open.ts";
import { type Command, type Input, UsageError } from "./options.ts";
import { everywhere, foldersFor, itemTable } from "./pending.ts";
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
    ...everywhere,
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
    const uploaders: Uploader[] = [];
    try {
      const kept: Kept[] = [];
      for (const path of await foldersFor(input, terminal)) {
        const uploader = await openOffline(input, path);
        uploaders.push(uploader);
        kept.push(...(await uploader.dead()).map((item) => ({ item, uploader })));
      }
      if (action === "list") return list(kept.map(({ item }) => item), input, terminal);
      const chosen = input.is("all") ? kept : ids.map((id) => oneOf(kept, id));
      if (chosen.length === 0 && !input.is("all")) {
        throw new UsageError(`dead ${action} wants IDs, or --all`);
      }
      return await act(action, chosen, input, terminal);
    } finally {
      for (const uploader of uploaders) await uploader.stop();
    }
  },
};

/** A dead item, and the uploader on its folder. */
interface Kept {
  item: PendingItem;
  uploader: Uploader;
}

function list(items: PendingItem[], input: Input, terminal: Terminal): number {
  if (input.is("json")) { for (const item of items) terminal.out(JSON.stringify(item)); }
  else if (items.length === 0) terminal.out("nothing is dead");
  else for (const line of itemTable(items, terminal)) terminal.out(line);
  return items.length === 0 ? 0 : 1;
}

async function act(
  action: string,
  kept: Kept[],
  input: Input,
  terminal: Terminal,
): Promise<number> {
  if (action === "show") {
    for (const { item } of kept) terminal.out(JSON.stringify(item, null, input.is("json") ? 0 : 2));
    return 0;
  }
  if (action === "export") return await exportItems(kept, input, terminal);
  const done: string[] = [], missed: string[] = [];
  for (const { item: { id }, uploader } of kept) {
    const [went] = action === "requeue" ? await uploader.requeue([id]) : await uploader.drop([id]);
    (went === undefined ? missed : done).push(id);
  }
  if (input.is("json")) terminal.out(JSON.stringify({ [action]: done, missed }));
  else {
    terminal.say(`${action === "requeue" ? "re-queued" : "dropped"} ${done.length}`);
    for (const id of missed) terminal.say(`not ${id}: its record doesn't say where to`);
  }
  return missed.length === 0 ? 0 : 1;
}

async function exportItems(
  kept: Kept[],
  input: Input,
  terminal: Terminal,
): Promise<number> {
  const folder = input.text("out") ?? ".";
  await mkdir(folder, { recursive: true });
  let failed = 0;
  for (const { item, uploader } of kept) {
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

function oneOf(kept: Kept[], prefix: string): Kept {
  const found = kept.filter(({ item }) => item.id.startsWith(prefix.toLowerCase()));
  if (found.length === 1) return found[0];
  throw new UsageError(
    found.length === 0
      ? `no dead item begins with ${prefix}`
      : `${found.length} dead items begin with ${prefix}`,
  );
}
