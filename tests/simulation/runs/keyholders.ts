/** Read-only keys in a seed: who makes and revokes them, who reads with them, and Auth, which has their users. */
import { SedimentError } from "../../../shared/errors.ts";
import { createKey } from "../../../shared/keys/create_key.ts";
import { removeEndedKeys } from "../../../shared/keys/remove_ended_keys.ts";
import type { KeyUsers } from "../../../shared/keys/ports.ts";
import type { Owner } from "./actors.ts";
import { clockOf } from "./calm.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

/** Auth as an actor reaches it: each call is a gate, and may fail, be late, or be done without its answer. */
export function keyUsersOf(world: World, actor: string): KeyUsers {
  const pass = (call: string, effect: () => void) =>
    world.scheduler.pass(
      actor,
      call,
      () => Promise.resolve(effect()),
      () => new SedimentError("auth_failed", `${call}: injected`),
      () => world.database.advance(65),
    );
  return {
    create: ({ userId }) => pass("create user", () => void world.authUsers.add(userId)),
    openSession: () => Promise.reject(new Error("sessions are Auth's")),
    remove: (userId) => pass("remove user", () => void world.authUsers.delete(userId)),
  };
}

/** Makes keys, revokes them, and goes on with the users of those that have ended. */
export async function keyMaker(
  world: World,
  name: string,
  owners: Owner[],
  rounds: number,
  chance: Random,
): Promise<void> {
  const catalog = world.catalogOf(name);
  const keyUsers = keyUsersOf(world, name);
  for (let round = 0; round < rounds; round++) {
    if (chance.chance(0.3)) await world.clockOf(name).sleep(1_000 * chance.whole(0, 20));
    const { dataset } = chance.pick(owners);
    const act = chance.next();
    await attempt(async () => {
      if (act < 0.6) {
        const ttlSeconds = chance.pick([60, 600, 100_000, 100_000]);
        await createKey({ catalog, keyUsers }, { user: null, dataset, label: "", ttlSeconds });
      } else if (act < 0.8) {
        const keys = await world.database.sql`
          select id from public.dataset_keys where dataset_id = ${dataset} order by id`;
        if (keys.length === 0) return;
        await catalog.revokeKey({ user: null, dataset, key: String(chance.pick([...keys]).id) });
      } else {
        await removeEndedKeys({ catalog, keyUsers, clock: world.clockOf(name) }, { seconds: 600 });
      }
    });
  }
}

/** Reads with keys, those that have ended too, and tries what no key may: to write, and to have a dataset of its own. */
export async function keyHolder(world: World, name: string, rounds: number, chance: Random) {
  const catalog = world.catalogOf(name);
  for (let round = 0; round < rounds; round++) {
    if (chance.chance(0.3)) await world.clockOf(name).sleep(1_000 * chance.whole(0, 60));
    const keys = await world.database.sql`
      select user_id, dataset_id from public.dataset_keys where activated_at is not null order by id`;
    if (keys.length === 0) {
      await world.clockOf(name).sleep(1_000);
      continue;
    }
    const { user_id: user, dataset_id: dataset } = chance.pick([...keys]) as Record<string, string>;
    await attempt(async () => {
      if (chance.chance(0.8)) return void await catalog.listFiles({ user, dataset, limit: 1 });
      await catalog.stageUpload({
        user,
        dataset: chance.chance(0.5) ? dataset : chance.uuid(),
        table: "battles",
        periodTag: "0",
        size: 1,
        contentHash: chance.uuid().replaceAll("-", "").repeat(2),
        offsetsDigest: "",
      });
    });
  }
}

/** The clockwork goes on, without faults, with what has ended. */
export async function removeKeyUsers(world: World): Promise<void> {
  const keyUsers = {
    remove: (user: string) => Promise.resolve(void world.authUsers.delete(user)),
  };
  await removeEndedKeys({ catalog: world.catalog, keyUsers, clock: clockOf(world) }, {
    seconds: 60,
  });
}

/**
 * I15: whoever reads by a key has one that lives, and no user of a key is in Auth that no row names.
 *
 * @param atRest that Auth has come to have the users of living keys alone
 */
export async function checkKeys(world: World, atRest: boolean): Promise<void> {
  const keys = await world.database.sql`
    select k.user_id as user, k.ended_at is null as goes_on, sediment.dataset_role(k.user_id, k.dataset_id) as role,
      k.ended_at is null and k.activated_at is not null and k.expires_at > simulation.clock()
        and d.deleted_at is null as lives
    from public.dataset_keys k join public.datasets d on d.id = k.dataset_id`;
  const named = new Set(keys.map(({ user }) => String(user)));
  const living = new Set(keys.filter((key) => key.lives).map(({ user }) => String(user)));
  for (const { user, role } of keys) {
    const may = living.has(String(user)) && !world.endedKeys.has(String(user));
    if (role !== null && !may) {
      world.violations.push(`I15: the key of ${user} has ended, and reads`);
    }
    if (role !== null && role !== "reader") world.violations.push(`I15: a key is a ${role}`);
  }
  for (const user of world.authUsers) {
    if (!named.has(user)) world.violations.push(`I15: Auth has ${user}, a user of no key`);
    if (atRest && !living.has(user)) {
      world.violations.push(`I15: Auth still has ${user}, whose key has ended`);
    }
  }
  if (!atRest) return;
  const open = keys.filter((key) => key.goes_on && !key.lives);
  if (open.length > 0) world.violations.push(`I15: ${open.length} keys were never ended`);
}

async function attempt(action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (thrown) {
    if (!(thrown instanceof SedimentError)) throw thrown;
  }
}
