/** The check of the store among the actors, and what must come of it. */
import { checkStore } from "../../../shared/compaction/upkeep/check_store.ts";
import type { ObjectStore } from "../../../shared/storage/object_store.ts";
import { SedimentError } from "../../../shared/errors.ts";
import { clockwork, decay, type Owner, remover, uploader, worker } from "./actors.ts";
import { clockOf, keepFor, workOff } from "./calm.ts";
import { checkAlways, checkRemade, checkSetAside } from "./check.ts";
import { settings } from "./database.ts";
import { Random } from "./random.ts";
import type { World } from "./world.ts";

/** Checks the store, again and again, as pg_cron has it done. */
async function checker(world: World, name: string, rounds: number, random: Random): Promise<void> {
  const ports = {
    catalog: world.catalogOf(name),
    store: world.storeOf(name),
    clock: world.clockOf(name),
  };
  for (let round = 0; round < rounds; round++) {
    try {
      await checkStore(ports, { seconds: 20 });
    } catch (thrown) {
      if (!(thrown instanceof SedimentError)) throw thrown;
    }
    await ports.clock.sleep(1_000 * random.whole(1, 60));
  }
}

/** Another storm, in which the store is checked while uploads, merges and vacuum go on, and objects decay. */
export async function checkedStorm(world: World, owners: Owner[], slice: number): Promise<void> {
  const { scheduler, seed } = world;
  const chance = new Random(seed * 577 + 11);
  scheduler.killAll();
  await keepFor(world, 50_000);
  await workOff(world, 6);
  for (const spell of ["forgetful", "short_reads", "store_away", "forgetful"] as const) {
    const from = scheduler.steps + chance.whole(20, 150);
    world.weather?.add(spell, from, from + chance.whole(20, 60));
  }
  for (const kind of ["compacted", "fragment"] as const) {
    scheduler.start(`rot-${kind}`, () => decay(world, `rot-${kind}`, 3, kind, chance));
  }
  for (const n of [1, 2]) {
    scheduler.start(`check-${n}`, () => checker(world, `check-${n}`, 12, chance));
  }
  for (const [n, owner] of owners.entries()) {
    scheduler.start(`later-${n}`, () => uploader(world, `later-${n}`, owner, 6));
  }
  scheduler.start("worker-later", () => worker(world, "worker-later", "current", 20));
  if (world.deleting) {
    scheduler.start("remover-later", () => remover(world, "remover-later", owners, 3));
  }
  scheduler.start("clockwork-later", () => clockwork(world, "clockwork-later", 10));
  for (let slices = 0; slices < 6 && world.violations.length === 0; slices++) {
    await scheduler.run(slice);
    await checkAlways(world, owners, false);
    await checkSetAside(world);
  }
}

/** One check without faults, of all; before it time passes, by default more than a check that died had leased. */
async function checkAll(world: World, store: ObjectStore = world.store, wait = 310): Promise<void> {
  const { catalog, database } = world;
  await database.advance(wait);
  await checkStore({ catalog, store, clock: clockOf(world) }, { seconds: 1e6, full: true });
}

/**
 * Where runs find none of their files, since all are lost, the store's check looks at them when it is asked to, long before its
 * list or its reading would come to them.
 *
 * @returns whether there are such runs
 */
export async function checkMissed(world: World): Promise<boolean> {
  const { catalog, store, database: { sql } } = world;
  const missed = await sql`
    select from public.partitions p join public.processing_metrics r on r.id = p.run_id
    where r.error_code = 'store_failed' and r.error_message like 'None of the %' and r.given_back > 1`;
  if (missed.length === 0) return false;
  await sql`
    update public.store_check set pass_started_at = null, pass_ended_at = simulation.clock(),
      read_at = simulation.clock() + interval '1 day'`;
  await sql`update public.service_settings set store_check_interval_seconds = 86400`;
  await checkStore({ catalog, store, clock: clockOf(world) }, { seconds: 60 });
  await sql`
    update public.service_settings set store_check_interval_seconds = ${settings.store_check_interval_seconds}`;
  return true;
}

/** I10: what decayed is found by the check alone, whether anybody merges it or not; and remade where that can be. */
export async function checkFound(world: World): Promise<void> {
  for (let round = 0; round < 6; round++) {
    await checkAll(world);
    await workOff(world, 3);
  }
  const unseen = await world.database.sql`
    select f.id, f.object_key, f.level from public.battle_files f
    join public.objects o on o.object_key = f.object_key and o.state = 'stored'
    where f.removed_version is null and f.state = 'active' and f.lost_since is null
      and not sediment.is_marked(f, 9223372036854775807) and f.object_key = any (${[
    ...world.decayed.keys(),
  ]})`;
  // an object may hold files of which another one has changed
  const wrong = unseen.filter(({ object_key }) => !world.store.objects.has(object_key));
  if (wrong.length > 0) {
    world.violations.push(
      `I10: nobody found that it is lost: ${JSON.stringify(wrong.slice(0, 3))}`,
    );
  }
  const changed = unseen.filter(({ level }) => Number(level) > 0);
  if (changed.length > 0) {
    world.violations.push(`I10: nobody found that it has changed: ${JSON.stringify(changed)}`);
  }
  await checkRemade(world);
}

/**
 * I9: in a store that is another one, or lacks some of what it had for less than a second look takes, nothing is set aside;
 * and what is taken for lost where half is missing for hours is back when its objects are.
 */
export async function checkOtherStore(world: World): Promise<void> {
  const none = partOf(world.store, () => false);
  const half = partOf(world.store, (key) => key.charCodeAt(key.length - 12) % 2 === 0);
  const before = await asideIn(world);
  const expectNoMore = async (what: string) => {
    const aside = (await asideIn(world)).filter((id) => !before.includes(id));
    if (aside.length > 0) world.violations.push(`I9: set aside in ${what}: files ${aside}`);
  };
  await checkAll(world);
  const few = await world.database.sql`
    select object_key as key from public.battle_files
    where state = 'active' and removed_version is null order by id limit 3`;
  const fewer = partOf(world.store, (key) => few.every((file) => file.key !== key));
  for (const wait of [310, 8, 8]) await checkAll(world, fewer, wait);
  await expectNoMore("a moment in which the store lacks some of it");

  const hours = async (store: ObjectStore) => {
    for (let round = 0; round < 3; round++) {
      await checkAll(world, store);
      await world.database.advance(settings.breaker_window_seconds);
    }
  };
  await hours(none);
  await expectNoMore("a store that is another");
  await hours(half);
  for (let round = 0; round < 3; round++) await checkAll(world);
  await checkSetAside(world);
}

/** What is set aside and has not decayed. */
async function asideIn({ database: { sql }, decayed }: World): Promise<number[]> {
  const rows = await sql`
    select id from public.battle_files
    where state = 'quarantined' and removed_version is null and object_key <> all (${[
    ...decayed.keys(),
  ]}) order by id`;
  return rows.map(({ id }) => Number(id));
}

/** The store as it is where not all of its objects are. */
function partOf(store: ObjectStore, has: (key: string) => boolean): ObjectStore {
  return {
    ...store,
    list: async (prefix, options) => {
      const page = await store.list(prefix, options);
      return { ...page, objects: page.objects.filter(({ key }) => has(key)) };
    },
    head: async (key, options) => has(key) ? await store.head(key, options) : null,
    getRange: async (key, start, length, options) => {
      if (has(key)) return await store.getRange(key, start, length, options);
      throw new SedimentError("object_missing", `${key}: 404`);
    },
  };
}

/** What is healed, remade or deleted is no finding any more. */
export async function checkFindings(world: World): Promise<void> {
  for (let round = 0; round < 3; round++) await checkAll(world);
  const left = await world.database.sql`
    select object_key, kind, detail from public.store_findings
    where kind not in ('lost', 'changed') or object_key <> all (${[...world.decayed.keys()]})`;
  if (left.length > 0) {
    world.violations.push(`I10: the check finds what is as it should be: ${JSON.stringify(left)}`);
  }
}
