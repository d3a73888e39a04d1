/** How long the stack's own clockwork takes to merge many partitions of four small files, and what it does afterwards. */
import postgres from "postgres";
import { startStack } from "../../../supabase/local/stack.ts";
import { signUp } from "../../support/client.ts";
import { makeFragments } from "../../support/fragments.ts";
import { liftLimits } from "../lift_limits.ts";
import { upload } from "./upload.ts";

/** The last line of the bench. */
export interface Settled {
  /** From the last upload on, until no partition is in debt. */
  settled_seconds: number;
  partitions: number;
  /** Runs that were opened in the two minutes after it. */
  quiet_runs: number;
  /** Share of the runs that merged nothing. */
  useless_runs: number;
}

const tables = 12, files = 4, rowsEach = 40;

/** See the module's head. @param tell of how it goes */
export async function settle(partitions: number, tell: (text: string) => void): Promise<Settled> {
  const stack = await startStack({});
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  const folder = await Deno.makeTempDir({ prefix: "sediment-scale-" });
  try {
    await liftLimits(sql);
    const user = await signUp(stack, "scale@example.com");
    const made = await makeFragments(folder, tables * files, rowsEach);
    const bodies = await Promise.all(made.map(({ path }) => Deno.readFile(path)));

    const datasets = Array.from(
      { length: Math.ceil(partitions / tables) },
      () => crypto.randomUUID(),
    );
    await inParallel(datasets, async (dataset) => {
      for (let n = 0; n < files; n++) {
        await upload(stack, user, dataset, bodies.slice(n * tables, (n + 1) * tables), rowsEach);
      }
    });
    tell(`${datasets.length * files} uploads are there`);

    const begun = performance.now();
    while (true) {
      // the datasets of one table have a file each, which waits for company
      const [{ debt, merged }] = await sql`select
        (select count(*)::int from public.partitions
          where (debt_oldest is not null or msg_id is not null) and dataset_id = any (${datasets})) as debt,
        (select count(*)::int from public.processing_metrics where files_before > 0) as merged`;
      tell(`${seconds(begun)} s: ${debt} partitions in debt, ${merged} merges`);
      if (debt === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 5000));
    }
    const settled = seconds(begun);
    const [runs] = await sql`select count(*)::int as all,
      count(*) filter (where files_before = 0)::int as useless from public.processing_metrics
      where completed_at is not null`;
    const quietFrom = new Date();
    await new Promise((resolve) => setTimeout(resolve, 120_000));
    const [{ quiet }] = await sql`select count(*)::int as quiet from public.processing_metrics
      where queued_at > ${quietFrom}`;
    return {
      settled_seconds: settled,
      partitions: datasets.length * tables,
      quiet_runs: quiet,
      useless_runs: Math.round(1000 * runs.useless / runs.all) / 1000,
    };
  } finally {
    await sql.end();
    await stack.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

function seconds(begun: number): number {
  return Math.round((performance.now() - begun) / 1000);
}

async function inParallel<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (const item of queue) await work(item);
  }));
}
