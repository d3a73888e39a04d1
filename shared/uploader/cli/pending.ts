/** `sediment pending` and `sediment retry`. */
import { access } from "node:fs/promises";
import process from "node:process";
import { about } from "../pending/pending_item.ts";
import type { PendingItem } from "../pending/pending_record.ts";
import { adoptInto, nameOld, nameOthers } from "./adopt_folders.ts";
import { onInterrupt } from "./on_interrupt.ts";
import { openOffline, openPendingFolder, openUploader } from "./open.ts";
import type { Command, Input, Option } from "./options.ts";
import { ownDataset, ownDatasetSettings, sayDatasets } from "./own_dataset.ts";
import { pauseText } from "./pause_text.ts";
import { allFolders } from "./pending_folders.ts";
import { dataFolder } from "./platform_folders.ts";
import { bytes, createTerminal, fromNow, table, type Terminal } from "./terminal.ts";

/** Option of the commands that look into pending folders. */
export const everywhere: Record<string, Option> = {
  everywhere: { says: "of all servers and users, not of the account in use" },
};

/**
 * The pending folders that a command looks into: the account's own, or all, where that is asked for or no
 * account is known. Those of other accounts that hold something are named.
 */
export async function foldersFor(input: Input, terminal: Terminal): Promise<string[]> {
  const { path, account } = await openPendingFolder(input);
  if (account === null && path !== null) return [path];
  const say = input.is("json") ? () => {} : terminal.say;
  if (account !== null) await adoptInto(account, say);
  else await nameOld(say);
  if (path === null || input.is("everywhere")) {
    return (await allFolders()).map((folder) => folder.path);
  }
  await nameOthers(path, say);
  return await exists(path) ? [path] : [];
}

/** `sediment pending` */
export const pending: Command = {
  name: "pending",
  says: "what waits to be sent",
  synopsis: "[--everywhere]",
  teaches:
    `Lists the items that are waiting, parked (the session was refused) or under way, oldest first, with what
was wrong the last time: those of the user who is signed in, at the server in use. Pending uploads
are kept in ${dataFolder()}, in a folder
for each server and user. Exit code 0 when there are none, 3 otherwise.`,
  examples: [["sediment pending", "a table"], ["sediment pending --json | wc -l", "how many"]],
  options: everywhere,
  arity: [0, 0],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const items: PendingItem[] = [];
    for (const path of await foldersFor(input, terminal)) {
      const uploader = await openOffline(input, path);
      items.push(...await uploader.pending());
      await uploader.stop();
    }
    if (input.is("json")) { for (const item of items) terminal.out(JSON.stringify(item)); }
    else if (items.length === 0) terminal.out("nothing is pending");
    else {
      for (const line of itemTable(items, terminal)) terminal.out(line);
      const total = items.reduce((sum, item) => sum + item.size, 0);
      terminal.say(`${items.length} pending, ${bytes(total)}`);
    }
    return items.length === 0 ? 0 : 3;
  },
};

/** `sediment retry` */
export const retry: Command = {
  name: "retry",
  says: "send what is pending now",
  synopsis: "[--own-dataset]",
  teaches:
    `Sends everything that is pending, oldest first, whatever the waiting times say. One retry runs at a
time, among all processes on the folder. Exit code 0 when nothing is left, 3 otherwise, 1 when
something was refused for good.`,
  examples: [
    ["sediment retry", "after a sign-in, or when the network is back"],
    ["sediment retry --own-dataset", "what another account's dataset has refused"],
  ],
  options: { "own-dataset": ownDataset },
  arity: [0, 0],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    let done = 0;
    const ends = ["succeeded", "dead", "expired"];
    let onEnd = () => {};
    const keys = new Set<string>();
    const uploader = await openUploader(input, {
      code: { upload: ownDatasetSettings(input) },
      say: terminal.say,
      onEvent: (event) => {
        if (ends.includes(event.event)) onEnd();
        if (typeof event.key === "string") keys.add(event.key);
      },
    });
    const endSignals = onInterrupt(() => void uploader.stop());
    try {
      const before = (await uploader.pending()).length;
      const bar = terminal.bar("retry", before);
      onEnd = () => bar.set(++done);
      const report = await uploader.retry();
      const { state, park, pause } = uploader.state();
      const { path, account } = await openPendingFolder(input);
      // While nobody is signed in, what is left is all that waits for somebody at this server.
      const signedOut = account?.user_id === null && !process.env.SEDIMENT_TOKEN;
      const others = signedOut
        ? await nameOthers(path, terminal.say, ({ url }) => url === account.url)
        : 0;
      const left = (await uploader.pending()).length + others;
      bar.end(
        `stored ${report.stored} · failed ${report.failed} · dead ${report.dead} · expired ${report.expired} · left ${left}`,
      );
      if (input.is("own-dataset") && !input.is("json")) sayDatasets(keys, null, terminal);
      if (input.is("json")) terminal.out(JSON.stringify({ ...report, left, state }));
      else if (report.skipped === "busy") terminal.say("another process is at it");
      else if (report.error) terminal.say(`${report.error.code}: ${report.error.message}`);
      else if ((park || others > 0) && left > 0) {
        terminal.say(
          others > 0 || park?.refused === null
            ? "nobody is signed in: sediment login"
            : "the session is refused: sediment login",
        );
      } else if (pause && left > 0) {
        terminal.say(`${pauseText(pause)}; again later: sediment retry`);
      }
      return report.dead + report.expired > 0 ? 1 : left > 0 ? 3 : 0;
    } finally {
      endSignals();
      await uploader.stop();
    }
  },
};

const stateColours = { dead: "red", expired: "red", parked: "yellow", sending: "blue" } as const;

/** Items as a table; states that want attention in colour. */
export function itemTable(items: PendingItem[], terminal: Terminal): string[] {
  const now = Date.now();
  const [head, ...lines] = table(
    ["id", "state", "what", "size", "tries", "saved", "next", "last error"],
    items.map((item) => {
      const facts = about(item);
      const next = item.state === "waiting" && Date.parse(item.next_attempt_at) > now
        ? fromNow(item.next_attempt_at, now)
        : item.state === "waiting"
        ? "now"
        : "-";
      return [
        item.id.slice(0, 8),
        item.state,
        String(facts.key ?? `${facts.table}/${facts.period_tag}`),
        bytes(item.size),
        item.attempt_count,
        fromNow(item.created_at, now),
        next,
        item.last_error?.code ?? "",
      ];
    }),
  );
  const painted = lines.map((line) =>
    line.replace(/(?<=^\S+ +)\w+/, (state) => {
      const colour = stateColours[state as keyof typeof stateColours];
      return colour ? terminal.paint(state, colour) : state;
    })
  );
  return [terminal.paint(head, "dim"), ...painted];
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(() => true, () => false);
}
