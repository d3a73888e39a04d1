import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { uploadAtOnce } from "../../../shared/uploads/receive_upload.ts";
import type { UploadRequest } from "../../../shared/uploads/upload_request.ts";
import { calmTurn } from "./calm.ts";
import { openDatabase } from "./database.ts";
import { calm } from "./faults.ts";
import { Random } from "./random.ts";
import { encodeRows, inspectRows } from "./rows.ts";
import { World } from "./world.ts";

/** Seconds between two looks of the clockwork here, which are a minute in a service. */
const stepSeconds = 1_800;

/** Uploads of a table: how likely one comes in a step, how many at once, of how many bytes, and whether each day is a period. */
const rain = [
  { table: "often", chance: 0.3, atOnce: 1, bytes: [2_000, 60_000], daily: false },
  { table: "seldom", chance: 0.08, atOnce: 1, bytes: [2_000, 60_000], daily: false },
  { table: "weekly", chance: 0.003, atOnce: 1, bytes: [500, 500], daily: false },
  { table: "bursts", chance: 0.01, atOnce: 12, bytes: [1_000, 9_000], daily: false },
  { table: "days", chance: 0.12, atOnce: 1, bytes: [500, 40_000], daily: true },
];

/** What of its uploads is of another schema, with which nothing else has a union. */
const months: [string, (chance: Random, sent: number) => string][] = [
  ["of one schema", () => "a"],
  ["where one file in ten has another schema", (chance) => chance.chance(0.1) ? "b" : "a"],
  [
    "where one file in a hundred has a schema of its own",
    (chance, sent) => chance.chance(0.01) ? `own-${sent}` : "a",
  ],
];

for (const [month, schemaOf] of months) {
  Deno.test(
    `of the runs of a month ${month} at most one in twenty finds nothing to do, and nothing is left undone`,
    { sanitizeOps: false, sanitizeResources: false },
    async () => {
      const database = await openDatabase();
      try {
        await database.reset(1);
        await database.sql`
        update public.service_settings set min_inputs = default, max_age_seconds = default, target_file_bytes = 1000000,
          idle_recheck_seconds = default, realtime_delay_seconds = default, history_seconds = default`;
        const world = new World(database, 1, calm);
        const { catalog, store, sql } = { ...world, sql: database.sql };
        const [user, dataset] = [world.random.uuid(), world.random.uuid()];
        await sql`insert into public.datasets (id, user_id) values (${dataset}, ${user})`;
        const chance = new Random(30);
        const schemas = new Random(31);
        const ports = { catalog, store, inspect: inspectRows };
        let sent = 0;

        const send = async (table: string, bytes: number, periodTag: string) => {
          const row = `${table}/${sent++}:0${"x".repeat(bytes)}`;
          const body = encodeRows({ schema: schemaOf(schemas, sent), rows: [row] });
          const contentHash = createHash("sha256").update(body).digest("hex");
          await uploadAtOnce(
            ports,
            user,
            {
              datasetId: dataset,
              table,
              periodTag,
              size: body.byteLength,
              contentHash,
              concatenated: false,
              slices: [{ table, start: 0, length: body.byteLength, format: "parquet" }],
            } as UploadRequest,
            body,
            { ttlSeconds: 120 },
          );
        };

        for (let step = 0; step < 30 * 86_400 / stepSeconds; step++) {
          const day = database.now().toISOString().slice(0, 10);
          for (const { table, chance: likely, atOnce, bytes, daily } of rain) {
            if (!chance.chance(likely)) continue;
            for (let n = 0; n < atOnce; n++) {
              await send(table, chance.whole(bytes[0]!, bytes[1]!), daily ? day : "0");
            }
          }
          await database.advance(stepSeconds);
          await catalog.expireLeases({});
          await catalog.sweep({});
          if (step % 48 === 4) await catalog.triggerScheduled({});
          while ((await calmTurn(world, "month"))!.runs.length > 0);
        }

        const [runs] = await sql`
        select count(*)::int as all, count(*) filter (where files_before = 0)::int as useless
        from public.processing_metrics where operation = 'compaction' and completed_at is not null`;
        assert.ok(runs.all > 100, `${runs.all} runs of ${sent} uploads`);
        assert.ok(
          runs.useless <= runs.all / 20,
          `${runs.useless} of ${runs.all} runs merged nothing`,
        );
        const [left] = await sql`
        select count(*)::int as partitions from public.partitions
        where msg_id is not null or due_at < simulation.clock() - interval '1 hour'`;
        assert.equal(left.partitions, 0);
      } finally {
        await database.stop();
      }
    },
  );
}
