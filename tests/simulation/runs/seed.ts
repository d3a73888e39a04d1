/** One seed: a storm of actors and faults, then calm, then everything that must hold. */
import {
  clockwork,
  decay,
  latecomer,
  type Owner,
  people,
  remover,
  time,
  uploader,
  worker,
} from "./actors.ts";
import { ager } from "./ager.ts";
import { calmTurn, clockOf, keepFor, workOff } from "./calm.ts";
import {
  checkedStorm,
  checkFindings,
  checkFound,
  checkMissed,
  checkOtherStore,
} from "./checking.ts";
import { checkAlways, checkAtRest, checkPurged, checkRemade, checkSetAside } from "./check.ts";
import { settings, type SimulatedDatabase } from "./database.ts";
import { calm, temper } from "./faults.ts";
import { checkKeys, keyHolder, keyMaker, removeKeyUsers } from "./keyholders.ts";
import { advanceLake, approveAll, approver, checkSettled, pruneLake } from "./lake.ts";
import { operator } from "./operator.ts";
import { renamer } from "./naming.ts";
import { parter } from "./parter.ts";
import { Random } from "./random.ts";
import type { TraceLine } from "./scheduler.ts";
import { vacuum } from "../../../shared/compaction/upkeep/vacuum.ts";
import { latest } from "./rows.ts";
import { checkSharing, sharer } from "./sharing.ts";
import { keepRowsSeconds, watchAges } from "./watch_ages.ts";
import { Weather } from "./weather.ts";
import { Publications } from "./watch_lake.ts";
import { World } from "./world.ts";

/**
 * `runs`: all actors and faults by chance. `field`: an environment that fails for minutes in every seed, with objects that are
 * lost or changed, files that kill their workers and workers whose clocks are apart, and nobody who mends anything by hand.
 */
export type SeedKind = "runs" | "field";

/** What a seed came to. */
export interface SeedReport {
  seed: number;
  steps: number;
  faults: number;
  uploads: number;
  /** Empty when all held. */
  violations: string[];
  trace: TraceLine[];
}

/**
 * Runs a seed.
 *
 * @param steps gates that are opened in the storm, at most
 * @param without steps whose faults are left out, to see which one matters
 */
export async function runSeed(
  database: SimulatedDatabase,
  seed: number,
  steps: number,
  without: ReadonlySet<number> = new Set(),
  kind: SeedKind = "runs",
): Promise<SeedReport> {
  await database.reset(seed);
  // most storms have ended by themselves after some 150 steps: spells are to fall into them
  const inField = kind === "field";
  const spells = inField ? [2, 3, 4, 5] : undefined;
  const weather = new Weather(
    new Random(seed * 613 + 29),
    inField ? Math.min(steps, 160) : steps,
    spells,
    inField ? 6 : 0,
  );
  const world = new World(database, seed, temper(new Random(seed * 31 + 7)), weather);
  const { random, scheduler } = world;
  scheduler.without = without;
  world.deleting = seed % 3 === 0;
  world.tellsGroups = seed % 14 === 5 || seed % 18 === 4;
  world.lake = seed % 11 === 10;
  if (world.lake) world.publications = new Publications(world);
  world.killing = random.pick(inField ? [0, 0.08, 0.15] : [0, 0, 0.08]);
  // in some seeds outputs decay as well, and a second storm comes over that
  const rotting = inField ? seed % 3 === 1 : seed % 4 === 1;
  // in some others the store's check goes over outputs and uploads that decay
  const checking = inField ? seed % 3 === 2 || seed % 9 === 6 : seed % 4 === 3;
  if (inField) world.clocksApart = new Random(seed * 97 + 3);
  try {
    const owners = await makeOwners(world, random.pick([1, 1, 2]));
    if (world.deleting) {
      // Every sixth seed has periods that are dates, and one of them too many.
      world.periods = seed % 6 === 0 ? ["2026-11-22", "2026-11-21"] : ["0", "1"];
      for (const { dataset } of owners) {
        await database.sql`
          insert into public.table_settings (dataset_id, "table", keep_rows_seconds, keep_periods)
          values (${dataset}, 'items', ${keepRowsSeconds}, null), (${dataset}, 'battles', null, 1)`;
      }
    }
    if (!inField && seed % 10 === 6) {
      world.guests = [random.uuid(), random.uuid()];
    }
    if (!inField && !world.deleting && seed % 5 === 2) {
      world.naming = new Random(seed * 509 + 11);
    }
    const uploaders = random.whole(1, 3);
    for (let n = 0; n < uploaders; n++) {
      const owner = random.pick(owners);
      scheduler.start(
        `uploader-${n}`,
        () =>
          uploader(world, `uploader-${n}`, owner, random.whole(3, 10) + (world.deleting ? 6 : 0)),
      );
    }
    const workers = random.whole(1, 4);
    for (let n = 0; n < workers; n++) {
      const kind = random.pick(["current", "current", "stale", "stale", "old"] as const);
      scheduler.start(`worker-${n}`, () => worker(world, `worker-${n}`, kind, 12));
    }
    scheduler.start("clockwork", () => clockwork(world, "clockwork", 14));
    if (!inField) {
      scheduler.start("people", () => people(world, "people", owners, random.whole(0, 5)));
    }
    if (random.chance(inField ? 0.8 : 0.4)) {
      scheduler.start("decay", () => decay(world, "decay", random.whole(1, 3)));
    }
    if (world.deleting) {
      scheduler.start("remover", () => remover(world, "remover", owners, random.whole(2, 6)));
    }
    if (!inField && seed % 27 === 0) {
      const chance = new Random(seed * 431 + 37);
      scheduler.start("ager", () => ager(world, "ager", 40, chance));
    }
    if (world.guests.length > 0) {
      scheduler.start("sharer", () => sharer(world, "sharer", owners, random.whole(20, 50)));
      const chance = new Random(seed * 883 + 19);
      scheduler.start("key-maker", () => keyMaker(world, "key-maker", owners, 20, chance));
      const reading = new Random(seed * 887 + 23);
      scheduler.start("key-holder", () => keyHolder(world, "key-holder", 40, reading));
    }
    if (!inField && seed % 7 === 3) {
      scheduler.start("operator", () => operator(world, "operator", owners, 6));
    }
    if (!inField && seed % 25 === 14) {
      scheduler.start("latecomer", () => latecomer(world, "latecomer", owners[0], 4));
    }
    if (!inField && seed % 39 === 30) {
      scheduler.start("parter", () => parter(world, "parter", owners[0]));
    }
    if (world.naming) {
      const chance = new Random(seed * 613 + 5);
      scheduler.start("renamer", () => renamer(world, "renamer", owners, 30, chance));
    }
    if (world.lake) {
      scheduler.start("approver", () => approver(world, "approver", 6));
    }
    scheduler.start("time", () => time(world, "time", random.whole(0, 6)));

    // The storm, with a look at the invariants now and then: they hold at every moment, not only at the end.
    const slice = Math.ceil(steps / 6);
    for (let done = 0; done < steps && world.violations.length === 0; done += slice) {
      await runPublishing(world, slice);
      await checkAlways(world, owners, false);
      await checkSharing(world);
      await checkKeys(world, false);
      if (world.deleting) await checkPurged(world, false);
    }
    if (rotting && world.violations.length === 0) await rotOutputs(world, owners, slice);
    if (checking && world.violations.length === 0) await checkedStorm(world, owners, slice);
    scheduler.faultPlan = calm;
    scheduler.killAll();
    weather.clear();
    world.calmSince = database.now();
    if (world.violations.length === 0) {
      if (rotting) await remakeOutputs(world);
      if (checking) {
        await checkFound(world);
        await checkOtherStore(world);
        await keepFor(world, settings.retention_seconds);
      }
      await comeToRest(world);
      if (world.lake && seed % 2 === 0) {
        await approveAll(world);
        await comeToRest(world);
      }
    }
    await checkSetAside(world);
    if (world.violations.length === 0 && world.decayed.size > 0) {
      await sendAgain(world);
      if (world.deleting) await checkPurged(world, false);
      await comeToRest(world);
      if (checking) {
        await checkFindings(world);
        await comeToRest(world);
      }
    }
    await checkAlways(world, owners, true);
    await checkSharing(world);
    if (world.violations.length === 0) await checkKeys(world, true);
    await checkAtRest(world);
    if (world.deleting) await checkPurged(world, true);
    if (world.lake && world.violations.length === 0) await checkSettled(world);
    if (world.violations.length === 0) await world.publications?.comeToRest();
    if (world.violations.length === 0) await checkQuiet(world);
  } catch (thrown) {
    world.violations.push(`an exception: ${(thrown as Error).stack ?? thrown}`);
  }
  return {
    seed,
    steps: scheduler.steps,
    faults: scheduler.faults + weather.met,
    uploads: world.uploads.length,
    violations: world.violations,
    trace: scheduler.trace,
  };
}

/** Runs a part of the storm, with publications to the lake in between where there is one. */
async function runPublishing({ scheduler, publications }: World, steps: number): Promise<void> {
  const most = publications === undefined ? steps : 8;
  for (let done = 0; done < steps; done += most) {
    await scheduler.run(Math.min(most, steps - done));
    await publications?.publish();
  }
}

/** Owners of one dataset each, with a table in which the last writer of a key wins. */
export async function makeOwners(world: World, count: number): Promise<Owner[]> {
  const { random, database: { sql } } = world;
  const owners = Array.from(
    { length: count },
    () => ({ user: random.uuid(), dataset: random.uuid() }),
  );
  for (const { user, dataset } of owners) {
    await sql`insert into public.datasets (id, user_id) values (${dataset}, ${user})`;
    await sql`insert into public.table_settings (dataset_id, "table", dedupe_keys)
      values (${dataset}, ${latest}, array['key'])`;
  }
  return owners;
}

/** Clients that still have what was lost send it again: then nothing is missed any more. */
async function sendAgain(world: World): Promise<void> {
  const missed = async () => (await world.database.sql`
      select distinct u.content_hash as hash, u.dataset_id as dataset from public.battle_files f
      join public.uploads u on u.id = f.upload_id
      where f.removed_version is null
        and (f.lost_since is not null or f.quarantine_code in ('object_missing', 'object_changed'))
      order by 1, 2`);
  for (const { hash, dataset } of await missed()) {
    const upload = world.uploads.find((one) => one.hash === hash && one.dataset === dataset);
    const answer = await upload?.again?.();
    if (upload?.again && answer?.healed !== true) {
      world.violations.push(`I10: ${hash} was sent again and did not heal`);
    }
  }
}

/** A system in which nothing comes makes no runs: only what is dead is looked at again. */
async function checkQuiet(world: World): Promise<void> {
  const { catalog, database } = world;
  const claims = async () =>
    (await database.sql`
      select "table", dataset_id, token, last_decision from public.partitions p
      where dead_since is null and dead_looks = 0
        -- a lost output of which an input is lost too is tried ten times to be remade
        and not exists (select 1 from public.battle_files f where f.dataset_id = p.dataset_id
          and f."table" = p."table" and f.period_tag = p.period_tag and f.removed_version is null
          and f.remake_at is not null and f.remake_tries > 0 and exists (
            select 1 from public.battle_files i
            where i.id = any (sediment.retired_inputs(f)) and i.object_key = any (${[
      ...world.decayed.keys(),
    ]})))
      order by dataset_id, "table"`)
      .map((row) => JSON.stringify(row));
  const before = await claims();
  for (let round = 0; round < 6; round++) {
    await database.advance(20_000);
    await catalog.expireLeases({});
    await catalog.sweep({});
    await catalog.triggerScheduled({});
    if (world.lake) await advanceLake(world);
    await calmTurn(world, "quiet");
  }
  const after = await claims();
  const moved = after.filter((row) => !before.includes(row));
  if (moved.length > 0) {
    world.violations.push(`I8: runs in a quiet system: ${moved.slice(0, 3).join(", ")}`);
  }
}

/** A second storm, over outputs of which some are lost or changed: what they had replaced is kept still. */
async function rotOutputs(world: World, owners: Owner[], slice: number): Promise<void> {
  const { scheduler, seed } = world;
  const chance = new Random(seed * 389 + 17);
  scheduler.killAll();
  await keepFor(world, 50_000);
  await workOff(world, 6);
  scheduler.start("rot", () => decay(world, "rot", 6, "compacted", chance));
  for (const [n, owner] of owners.entries()) {
    scheduler.start(`late-${n}`, () => uploader(world, `late-${n}`, owner, 12));
  }
  for (const n of [1, 2]) {
    scheduler.start(`worker-late-${n}`, () => worker(world, `worker-late-${n}`, "current", 40));
  }
  scheduler.start("clockwork-late", () => clockwork(world, "clockwork-late", 20));
  for (let slices = 0; slices < 6 && world.violations.length === 0; slices++) {
    await scheduler.run(slice);
    await checkAlways(world, owners, false);
  }
}

/** Lost outputs are remade before vacuum comes to the files that they had replaced. */
async function remakeOutputs(world: World): Promise<void> {
  await workOff(world, 10);
  await checkRemade(world);
  await keepFor(world, settings.retention_seconds);
}

/** Time passes and the clockwork and one worker go on without faults until nothing is left to do. */
async function comeToRest(world: World): Promise<void> {
  const endSome = async () => {
    const ended = await watchAges(world, "endAged", () => world.catalog.endAged({}));
    return (ended as { more: boolean }).more;
  };
  const { catalog, store, database } = world;
  const clock = clockOf(world);
  let quiet = 0;
  for (let round = 0; round < 80 && quiet < 3; round++) {
    // Past leases and back-offs; every second round towards put deadlines (7,200 s) and retention, and all the while the
    // clockwork goes on.
    for (const seconds of round % 2 === 0 ? [70] : [850, 850, 800]) {
      await database.advance(seconds);
      await catalog.expireLeases({});
    }
    await catalog.sweep({});
    if (world.lake) await advanceLake(world);
    await world.publications?.publish();
    const turn = await calmTurn(world, "calm");
    const swept = await vacuum({ catalog, store, clock }, { seconds: 60 });
    await catalog.drainDeadLetters({ limit: 100 });
    if (world.deleting) {
      while ((await catalog.advanceDeletions({})).more);
      while (await endSome());
    }
    await catalog.pruneHistory({});
    if (world.lake) await pruneLake(world);
    if (world.guests.length > 0) await removeKeyUsers(world);
    const idle = turn !== null && turn.runs.every((run) => run.outputs === 0) &&
      swept.objects_deleted === 0 &&
      swept.files_dropped === 0;
    const settled = !await checkMissed(world);
    quiet = idle && settled && round > 8 ? quiet + 1 : 0;
  }
  // What was woken by the sweep of the last round has its turn: then nothing may be left over.
  await calmTurn(world, "calm");
  if (world.guests.length > 0) await removeKeyUsers(world);
}
