import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import {
  itemEvents,
  itemStates,
  itemTransitions,
  serviceEvents,
  serviceStates,
  serviceTransitions,
} from "../../shared/uploader/transitions.ts";

type Cell = { to: string; does?: string } | null;

async function tableOf(name: string): Promise<{ events: string[]; rows: Map<string, string[]> }> {
  const spec = await readFile(new URL("../../shared/uploader/SPEC.md", import.meta.url), "utf8");
  const lines = spec.split(`<!-- ${name} -->`)[1].trim().split("\n\n")[0].split("\n");
  const cells = lines.map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  const rows = new Map(cells.slice(2).map(([state, ...row]) => [state, row]));
  return { events: cells[0].slice(1), rows };
}

function textOf(cell: Cell): string {
  return cell === null ? "-" : [cell.to, cell.does].filter(Boolean).join(" ");
}

Deno.test("SPEC.md and the transition tables say the same in every cell", async () => {
  const tables: [
    string,
    readonly string[],
    readonly string[],
    Record<string, Record<string, Cell>>,
  ][] = [
    ["items", itemStates, itemEvents, itemTransitions],
    ["service", serviceStates, serviceEvents, serviceTransitions],
  ];
  for (const [name, states, events, transitions] of tables) {
    const table = await tableOf(name);
    assert.deepEqual(table.events, [...events]);
    assert.deepEqual([...table.rows.keys()], [...states]);
    for (const state of states) {
      const written = table.rows.get(state);
      assert.deepEqual(written, events.map((event) => textOf(transitions[state][event])), state);
    }
  }
});

Deno.test("only what the service has and what was dropped is gone", () => {
  for (const state of itemStates) {
    if (state === "gone") continue;
    for (const event of itemEvents) {
      const end: boolean = itemTransitions[state][event]?.to === "gone";
      assert.equal(end, event === "stored" || event === "drop", `${state} ${event}`);
    }
  }
});

Deno.test("no event but a person's leads out of dead, and every state but gone can be left by hand", () => {
  for (const event of itemEvents) {
    const next = itemTransitions.dead[event]?.to;
    if (!["stored", "drop", "requeue"].includes(event)) assert.ok(!next || next === "dead", event);
  }
  for (const state of itemStates) assert.equal(itemTransitions[state].drop?.to, "gone");
});

Deno.test("an attempt is given back only where none was made or the caller ended it", () => {
  const refunds = itemEvents.filter((event) => itemTransitions.sending[event]?.does === "refund");
  assert.deepEqual(refunds, ["unreachable", "refused", "stopped"]);
  assert.equal(itemTransitions.sending.limited?.does, "hold");
});

Deno.test("while parked, nothing but a person starts a batch without a look at the session", () => {
  for (const event of serviceEvents) {
    const { does } = serviceTransitions.parked[event];
    assert.equal(does === "run", event === "manual", event);
  }
});
