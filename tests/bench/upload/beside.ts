/**
 * Uploads to this tree's stack and to another tree's, in turns: the machine is as busy for the one as for the other, so
 * the ratio of a round means something where milliseconds do not. The other tree is a checkout with its own
 * node_modules, older than this one as a rule; only its `supabase/local/start.ts` is run.
 */
import type { CatalogWay } from "../../../supabase/local/stack.ts";
import { median } from "../median.ts";
import { cpuOfTree } from "../process_cpu.ts";
import { type Address, withStack } from "./bench_stack.ts";
import { createSender, load, type Sender } from "./sender.ts";

/** This tree's cost of an upload by the other's: wall time by medians of the rounds, CPU by their sums. */
export interface BesideLine {
  beside: string;
  catalog: CatalogWay;
  concurrency: number;
  rounds: number;
  /** Of wall time, the median of the rounds' ratios; over 1: this tree is slower. */
  ratio: number;
  /** Of the CPU of the whole stack, its PostgreSQL included. */
  cpu_ratio: number;
  /** Of the CPU of PostgreSQL alone, and of the rest. */
  postgres_ratio: number;
  functions_ratio: number;
  /** An upload, wall and CPU in milliseconds: the other tree's, then this one's. */
  ms: [number, number];
  cpu_ms: [number, number];
  postgres_ms: [number, number];
}

/** What a stack spends on one round, milliseconds an upload. */
interface Spent {
  wall: number;
  postgres: number;
  functions: number;
}

/** Uploads of one stack in one round: enough for /proc's hundredths of a second, few enough for many rounds. */
const perRound = 48;

/**
 * @param dir the other tree
 * @param uploads how many a case goes to each tree; a quarter of them where one goes after the other
 */
export async function uploadBeside(
  { dir, catalog, concurrencies, uploads, report }: {
    dir: string;
    catalog: CatalogWay;
    concurrencies: number[];
    uploads: number;
    report: (line: BesideLine) => void;
  },
): Promise<void> {
  await withStack(catalog, async (ours) => {
    await withStack(catalog, async (theirs) => {
      const sides = [
        { stack: theirs, sender: await createSender(theirs) },
        { stack: ours, sender: await createSender(ours) },
      ];
      for (const { sender } of sides) await load(1600, 16, sender.upload);
      for (const concurrency of concurrencies) {
        const calls = Math.max(perRound, concurrency * 3);
        const rounds = Math.ceil((concurrency === 1 ? uploads / 4 : uploads) / calls);
        const spent: [Spent, Spent][] = [];
        for (let round = 0; round < rounds; round++) {
          // Who goes first changes: what one leaves to do in the background falls on both alike.
          const order = round % 2 === 0 ? [0, 1] : [1, 0];
          const pair: Spent[] = [];
          for (const side of order) pair[side] = await spend(sides[side]!, calls, concurrency);
          spent.push([pair[0]!, pair[1]!]);
        }
        report(besideLine({ dir, catalog, concurrency, spent }));
      }
    }, dir);
  });
}

async function spend(
  { stack, sender }: { stack: Address; sender: Sender },
  calls: number,
  concurrency: number,
): Promise<Spent> {
  const before = await cpuOfTree(stack.pid);
  const { ms } = await load(calls, concurrency, sender.upload);
  const after = await cpuOfTree(stack.pid);
  const sum = { wall: ms / calls, postgres: 0, functions: 0 };
  for (const [name, cpu] of Object.entries(after)) {
    const part = name.startsWith("postgres") && name !== "postgrest" ? "postgres" : "functions";
    sum[part] += (cpu - (before[name] ?? 0)) / calls;
  }
  return sum;
}

function besideLine(
  { dir, catalog, concurrency, spent }: {
    dir: string;
    catalog: CatalogWay;
    concurrency: number;
    spent: [Spent, Spent][];
  },
): BesideLine {
  const cpu = (side: Spent) => side.postgres + side.functions;
  const mean = (of: (side: Spent) => number, side: 0 | 1) =>
    spent.reduce((sum, pair) => sum + of(pair[side]), 0) / spent.length;
  const means = (of: (side: Spent) => number): [number, number] => [
    round(mean(of, 0), 2),
    round(mean(of, 1), 2),
  ];
  // of sums: a round's CPU is told in hundredths of a second, a twentieth of it
  const ratio = (of: (side: Spent) => number) => round(mean(of, 1) / mean(of, 0), 3);
  return {
    beside: dir,
    catalog,
    concurrency,
    rounds: spent.length,
    ratio: round(median(spent.map(([theirs, ours]) => ours.wall / theirs.wall)), 3),
    cpu_ratio: ratio(cpu),
    postgres_ratio: ratio((side) => side.postgres),
    functions_ratio: ratio((side) => side.functions),
    ms: [0, 1].map((side) => round(median(spent.map((pair) => pair[side]!.wall)), 2)) as [
      number,
      number,
    ],
    cpu_ms: means(cpu),
    postgres_ms: means((side) => side.postgres),
  };
}

/** A line for people. */
export function besideText(line: BesideLine): string {
  const of = (name: string, ratio: number, [theirs, ours]: [number, number]) =>
    `${name} ${theirs} → ${ours} ms (${ratio})`;
  return `${line.catalog}, ${line.concurrency} at once, an upload: ${
    of("wall", line.ratio, line.ms)
  }, ${of("CPU", line.cpu_ratio, line.cpu_ms)}, ${
    of("of which PostgreSQL", line.postgres_ratio, line.postgres_ms)
  }; ${line.rounds} rounds`;
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
