/**
 * `deno task bench tenants [--json] [--seconds N] [--rounds N] [--minutes N] [--attack NAME]`: what eight honest users notice of a
 * hostile one, attack by attack. The honest ones upload and read, with pauses as apps have them, by turns alone and
 * beside the attack, each first in every other round, since a machine is not as quick all the time; the ratio is the
 * median of the rounds'. What the attack leaves in the catalog is looked at over a whole minute more, since limits count
 * by minutes: what a few seconds bring is not a twelfth of what a minute brings. The functions are served by a process of their own, a new
 * one for each attack, whose memory is looked at; the hostile one, and the stand-ins, and nothing that compacts, run in
 * others.
 */
import { parseArgs } from "node:util";
import postgres from "postgres";
import {
  type FunctionsProcess,
  type HostileProcess,
  startFunctionsProcess,
  startHostileProcess,
  startStackProcess,
} from "./tenants/start_stack.ts";
import { attacks } from "./tenants/attacks.ts";
import { call, parquet, upload, type User } from "./tenants/user.ts";
import { signUp } from "../support/stack.ts";

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "5" },
    minutes: { type: "string", default: "1" },
    attack: { type: "string" },
  },
});
const seconds = Number(options.seconds), rounds = Number(options.rounds);
const growthSeconds = 60 * Number(options.minutes);

await using process = await startStackProcess();
const stack = process.report;
let functions: FunctionsProcess;
const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });

async function newUser(): Promise<User> {
  const { token } = await signUp(stack);
  return {
    url: functions.url,
    headers: { authorization: `Bearer ${token}` },
    dataset: crypto.randomUUID(),
  };
}

/** An app: uploads, then looks at what is there, then does something else for a while. */
async function honest(user: User, until: number, took: number[]): Promise<void> {
  while (performance.now() < until) {
    for (
      const ask of [
        () => upload(user, parquet([Math.random() * 2 ** 31 | 0, 1, 2])),
        () => call("GET", `/battle-data/latest?dataset_id=${user.dataset}&limit=10`, user),
      ]
    ) {
      const begun = performance.now();
      const status = await ask();
      if (status !== 200) throw new Error(`an honest user got ${status}`);
      took.push(performance.now() - begun);
      await new Promise((resolve) => setTimeout(resolve, 40 + Math.random() * 40));
    }
  }
}

const p99 = (took: number[]) => took.toSorted((a, b) => a - b)[Math.floor(took.length * 0.99)];

async function catalogBytes(): Promise<number> {
  const [row] = await sql`
    select sum(pg_total_relation_size(c.oid))::bigint as bytes from pg_class c
    join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind = 'r'`;
  return Number(row.bytes);
}

async function look(users: User[], hostile?: HostileProcess, lasts = seconds) {
  const before = await catalogBytes();
  const until = performance.now() + lasts * 1000;
  const took: number[] = [];
  let peak = 0;
  const watch = setInterval(() => peak = Math.max(peak, functions.memoryMb()), 50);
  const attacking = hostile?.attack(lasts * 1000);
  await Promise.all(users.map((user) => honest(user, until, took)));
  const statuses = await attacking;
  clearInterval(watch);
  const grown = (await catalogBytes() - before) / 1024 * 60 / lasts;
  return { p99: p99(took), peak, grown, statuses, requests: took.length };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

type Look = Awaited<ReturnType<typeof look>>;

function tell(attack: string, alone: Look[], beside: Look[], minute: Look): void {
  const line = {
    attack,
    p99_ratio: Number(median(beside.map(({ p99 }, n) => p99 / alone[n].p99)).toFixed(2)),
    peak_mb: Math.round(Math.max(...beside.map(({ peak }) => peak))),
    // what the honest requests left is taken off by their count
    catalog_kb_per_minute: Math.round(
      minute.grown - median(alone.map(({ grown, requests }) => grown * seconds / requests)) *
          minute.requests / growthSeconds,
    ),
  };
  if (options.json) return console.log(JSON.stringify(line));
  const range = (looks: Look[]) => looks.map(({ p99 }) => p99.toFixed(0)).join(", ");
  console.log(
    `${attack}: p99 ${range(alone)} → ${range(beside)} ms (${line.p99_ratio}), ` +
      `memory ${Math.round(alone[0].peak)} → ${line.peak_mb} MB, ` +
      `catalog ${line.catalog_kb_per_minute} KB a minute; ` +
      `answers ${JSON.stringify(beside.map(({ statuses }) => statuses))}`,
  );
}

try {
  for (const attack of Object.keys(attacks)) {
    if (options.attack !== undefined && options.attack !== attack) continue;
    await using process = await startFunctionsProcess(stack);
    functions = process;
    const users = await Promise.all(Array.from({ length: 8 }, newUser));
    const alone: Look[] = [], beside: Look[] = [];
    await look(users); // the first of everything
    for (let round = 0; round < rounds; round++) {
      const mallory = await newUser(); // whose limits are unspent
      await upload(mallory, parquet([1]));
      await using hostile = await startHostileProcess(attack, mallory);
      if (round % 2 === 0) alone.push(await look(users));
      beside.push(await look(users, hostile));
      if (round % 2 === 1) alone.push(await look(users));
    }
    const mallory = await newUser();
    await upload(mallory, parquet([1]));
    await using hostile = await startHostileProcess(attack, mallory);
    tell(attack, alone, beside, await look(users, hostile, growthSeconds));
  }
} finally {
  await sql.end();
}
