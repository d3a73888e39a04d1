/** Watches for I4 by the planner's own judgement: what it would act on has a message, or a time at which it is due. */
import type { Claim } from "../../../shared/catalog/run_results.ts";
import { planCompaction } from "../../../shared/compaction/plan/plan.ts";
import type { SchemaJson } from "../../../shared/parquet/format/schema_json.ts";
import { keepApart } from "./rows.ts";
import type { World } from "./world.ts";

/**
 * Looks at each partition without a message: the dead have a time of their own, and so has what failed without a word.
 *
 * @param atRest that sweeps have come by since settings changed: until one has, what waits goes by those of before
 */
export async function checkDebt(
  { database, violations, misjudged }: World,
  atRest: boolean,
): Promise<void> {
  const now = database.now();
  const found = await database.sql`
    select p.dataset_id as dataset, p."table", p.period_tag as period, p.token, p.due_at as due, p.last_decision as decision, p.tier_files as waiting,
      p.idle_runs as idle,
      sediment.partition_settings(p) as settings,
      sediment.list_inputs(p.dataset_id, p."table", p.period_tag, -1, 2000, null, sediment.partition_settings(p)) as inputs
    from public.partitions p where p.msg_id is null and p.dead_since is null
      and (${atRest} or p.plan_digest is not distinct from sediment.plan_digest(p.dataset_id, p."table",
        (select s.planner_version from public.service_settings s)))`;
  for (
    const { table, period, due, decision, waiting, idle, token, settings, inputs, dataset } of found
  ) {
    if (misjudged.get(`${dataset}/${table}/${period}`) === Number(token)) continue;
    const { files, schemas } = inputs as Pick<Claim, "files" | "schemas">;
    const plan = planCompaction({
      files,
      settings,
      schemas: schemas as Record<string, SchemaJson>,
      unite: keepApart,
      forced: false,
      now,
    });
    // a run that came to nothing is made again after a while, and each further one later
    const patience = idle > 0 ? 86_400_000 : 1_000;
    const dueAt = due === null ? null : new Date(due).getTime() - patience;
    const latest = plan.outputs.length > 0 ? now.getTime() : plan.nextDueAt?.getTime();
    if (latest === undefined || (dueAt !== null && dueAt <= latest)) continue;
    violations.push(
      `I4: ${table}/${period} is due ${due ?? "never"}, and the planner says: ${plan.decision} (${
        JSON.stringify({ waiting, decision })
      })`,
    );
  }
}
