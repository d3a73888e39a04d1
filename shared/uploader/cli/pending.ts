/** `sediment pending` and `sediment retry`. */
import { about } from "../pending/pending_item.ts";
import type { PendingItem } from "../pending/pending_record.ts";
import { onInterrupt } from "./on_interrupt.ts";
import { openUploader } from "./open.ts";
import type { Command } from "./options.ts";
import { bytes, createTerminal, fromNow, table, type Terminal } from "./terminal.ts";

/** `sediment pending` */
export const pending: Command = {
  name: "pending",
  says: "what waits to be sent",
  synopsis: "",
  teaches:
    `Lists the items of the pending folder that are waiting, parked (the session was refused) or under
way, oldest first, with what was wrong the last time. Exit code 0 when there are none, 3 otherwise.`,
  examples: [["sediment pending", "a table"], ["sediment pending --json | wc -l", "how many"]],
  options: {},
  arity: [0, 0],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const uploader = await openUploader(input, { offline: true });
    try {
      const items = await uploader.pending();
      if (input.is("json")) { for (const item of items) terminal.out(JSON.stringify(item)); }
      else if (items.length === 0) terminal.out("nothing is pending");
      else {
        for (const line of itemTable(items, terminal)) terminal.out(line);
        const total = items.reduce((sum, item) => sum + item.size, 0);
        terminal.say(`${items.length} pending, ${bytes(total)}`);
      }
      return items.length === 0 ? 0 : 3;
    } finally {
      await uploader.stop();
    }
  },
};

/** `sediment retry` */
export const retry: Command = {
  name: "retry",
  says: "send what is pending now",
  synopsis: "",
  teaches:
    `Sends everything that is pending, oldest first, whatever the waiting times say. One retry runs at a
time, among all processes on the folder. Exit code 0 when nothing is left, 3 otherwise, 1 when
something was refused for good.`,
  examples: [["sediment retry", "after a sign-in, or when the network is back"]],
  options: {},
  arity: [0, 0],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    let done = 0;
    const ends = ["succeeded", "dead", "expired"];
    let onEnd = () => {};
    const uploader = await openUploader(input, {
      say: terminal.say,
      onEvent: (event) => {
        if (ends.includes(event.event)) onEnd();
      },
    });
    const endSignals = onInterrupt(() => void uploader.stop());
    try {
      const before = (await uploader.pending()).length;
      const bar = terminal.bar("retry", before);
      onEnd = () => bar.set(++done);
      const report = await uploader.retry();
      const left = (await uploader.pending()).length;
      const { state, park, pause } = uploader.state();
      bar.end(
        `stored ${report.stored} · failed ${report.failed} · dead ${report.dead} · expired ${report.expired} · left ${left}`,
      );
      if (input.is("json")) terminal.out(JSON.stringify({ ...report, left, state }));
      else if (report.skipped === "busy") terminal.say("another process is at it");
      else if (report.error) terminal.say(`${report.error.code}: ${report.error.message}`);
      else if (park && left > 0) {
        terminal.say(
          park.refused === null
            ? "nobody is signed in: sediment login"
            : "the session is refused: sediment login",
        );
      } else if (pause && left > 0) terminal.say(`${pause.why}; again later: sediment retry`);
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
