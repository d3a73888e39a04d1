/**
 * Keys with a process that dies at any of its calls, of the catalog or of Auth, before it or with its answer lost: whatever
 * dies, nobody reads without a key that lives, and in the end Auth has the users of living keys and no others.
 */
import { strict as assert } from "node:assert";
import postgres from "postgres";
import type { Catalog } from "../../shared/catalog/catalog.ts";
import { SedimentError } from "../../shared/errors.ts";
import { createKey } from "../../shared/keys/create_key.ts";
import type { KeyUsers } from "../../shared/keys/ports.ts";
import { removeEndedKeys } from "../../shared/keys/remove_ended_keys.ts";
import { type Cluster, startCluster } from "../database/cluster.ts";
import { createSqlCatalog } from "../support/sql_catalog.ts";

class Died extends Error {}

/** Where a process dies: at its nth call, before it is made or after. */
interface Death {
  at: number;
  moment: "before" | "after";
}

let cluster: Cluster;
Deno.test.beforeAll(async () => {
  cluster = await startCluster();
});
Deno.test.afterAll(async () => void await cluster.stop());

async function openWorld() {
  const sql = postgres((await cluster.newDatabase()).url, { max: 2, onnotice: () => {} });
  const catalog = createSqlCatalog(sql);
  const owner = crypto.randomUUID(), dataset = crypto.randomUUID();
  await sql`insert into public.datasets (id, user_id) values (${dataset}, ${owner})`;
  /** Users that Auth has. */
  const auth = new Set<string>();
  const users: KeyUsers = {
    create: ({ userId }) => Promise.resolve(void auth.add(userId)),
    openSession: () => Promise.reject(new Error("nobody asks for one")),
    remove: (userId) => Promise.resolve(void auth.delete(userId)),
  };

  /** The ports of one process; `calls` counts what it has called. */
  function processOf(death?: Death) {
    const seen = { calls: 0, dead: false };
    const mortal = <T extends object>(port: T): T =>
      new Proxy(port, {
        get: (target, name) => async (...args: unknown[]) => {
          if (seen.dead) throw new Died();
          const dies = ++seen.calls === death?.at;
          if (dies && death!.moment === "before") seen.dead = true;
          if (seen.dead) throw new Died();
          const call = target[name as keyof T] as (...args: unknown[]) => Promise<unknown>;
          const answer = await call(...args);
          await checkRights();
          if (dies) seen.dead = true;
          if (seen.dead) throw new Died();
          return answer;
        },
      });
    return { seen, catalog: mortal<Catalog>(catalog), keyUsers: mortal(users) };
  }

  /** Who reads has a key that lives; whom Auth has, a row names. */
  async function checkRights() {
    const [wrong] = await sql`
      select m.user_id from public.dataset_members m left join public.dataset_keys k on k.id = m.key_id
      where sediment.dataset_role(m.user_id, m.dataset_id) is not null
        and (k.activated_at is null or k.ended_at is not null or k.expires_at <= clock_timestamp())`;
    assert.equal(wrong, undefined, "somebody reads without a living key");
    const rows = await sql`select user_id from public.dataset_keys`;
    const named = new Set(rows.map(({ user_id }) => user_id));
    assert.deepEqual([...auth].filter((user) => !named.has(user)), [], "Auth has a user of no key");
  }

  return {
    sql,
    catalog,
    owner,
    dataset,
    auth,
    processOf,
    checkRights,
    create: (ports: ReturnType<typeof processOf>) =>
      createKey(ports, { user: owner, dataset, label: "", ttlSeconds: 3600 }),
    upkeep: (ports: ReturnType<typeof processOf>) =>
      removeEndedKeys({ ...ports, clock: { now: () => 0 } }, { seconds: 1 }),
    /** So much later that whatever waits is due, but keys still live. */
    async pass() {
      await sql`update public.dataset_keys set remove_user_at = least(remove_user_at, clock_timestamp())
        where activated_at is null or ended_at is not null`;
    },
    /** Upkeep until nothing is due; then only living keys are left of all. */
    async settle() {
      for (let round = 0; round < 3; round++) {
        await this.pass();
        await this.upkeep(processOf());
      }
      await checkRights();
      const due = await sql`select 1 from public.dataset_keys
        where remove_user_at is not null and (ended_at is not null or activated_at is null)`;
      assert.equal(due.length, 0, "something is never done with");
      const living = await sql`
        select user_id from public.dataset_keys where activated_at is not null and ended_at is null`;
      assert.deepEqual([...auth].sort(), living.map(({ user_id }) => user_id).sort());
      return living.length;
    },
    [Symbol.asyncDispose]: () => sql.end(),
  };
}

type World = Awaited<ReturnType<typeof openWorld>>;

/** Runs an action with each death that it can die, each in a world of its own. */
async function eachDeath(
  t: Deno.TestContext,
  prepare: (world: World) => Promise<unknown>,
  action: (world: World, ports: ReturnType<World["processOf"]>) => Promise<unknown>,
  after: (world: World) => Promise<void>,
) {
  await using undisturbed = await openWorld();
  await prepare(undisturbed);
  const whole = undisturbed.processOf();
  await action(undisturbed, whole);
  assert.ok(whole.seen.calls >= 3, "there are calls to die at");
  for (let at = 1; at <= whole.seen.calls; at++) {
    for (const moment of ["before", "after"] as const) {
      await t.step(`${moment} call ${at}`, async () => {
        await using world = await openWorld();
        await prepare(world);
        const ports = world.processOf({ at, moment });
        await action(world, ports).catch((thrown) =>
          assert.ok(thrown instanceof Died, String(thrown))
        );
        assert.ok(ports.seen.dead, "it has died");
        await world.checkRights();
        await after(world);
      });
    }
  }
}

Deno.test("who dies while making a key leaves none that opens, and no user", async (t) => {
  await eachDeath(
    t,
    () => Promise.resolve(),
    (world, ports) => world.create(ports),
    async (world) => {
      // the answer to the last call may be lost: then the key is there, and nobody has its secret
      assert.ok(await world.settle() <= 1);
      for (
        const { key_id }
          of (await world.catalog.listKeys({ user: world.owner, dataset: world.dataset })).keys
      ) {
        await world.catalog.revokeKey({ user: world.owner, dataset: world.dataset, key: key_id });
      }
      assert.equal(await world.settle(), 0);
      assert.equal(world.auth.size, 0);
    },
  );
});

Deno.test("who dies while removing users loses track of none", async (t) => {
  const prepare = async (world: World) => {
    for (let n = 0; n < 3; n++) await world.create(world.processOf());
    const { keys } = await world.catalog.listKeys({ user: world.owner, dataset: world.dataset });
    for (const { key_id } of keys.slice(1)) {
      await world.catalog.revokeKey({ user: world.owner, dataset: world.dataset, key: key_id });
    }
  };
  await eachDeath(t, prepare, (world, ports) => world.upkeep(ports), async (world) => {
    assert.equal(await world.settle(), 1, "the key that was not revoked lives");
  });
});

Deno.test("a key that ends while it is made leaves no user, whichever comes first", async (t) => {
  const ends: [string, (world: World, key: string) => Promise<unknown>][] = [
    [
      "it is revoked",
      (world, key) => world.catalog.revokeKey({ user: null, dataset: world.dataset, key }),
    ],
    ["it is late", async (world) => {
      await world.pass();
      await world.upkeep(world.processOf());
    }],
    [
      "its dataset is deleted",
      (world) => world.catalog.deleteData({ user: null, dataset: world.dataset }),
    ],
  ];
  for (const [name, end] of ends) {
    for (const before of ["create", "commitKey"] as const) {
      await t.step(`${name}, before ${before}`, async () => {
        await using world = await openWorld();
        const ports = world.processOf();
        const met = async () => {
          const [{ id }] = await world.sql`select id from public.dataset_keys`;
          await end(world, id);
          // the clockwork comes before whoever makes the key goes on
          await world.upkeep(world.processOf());
        };
        const { keyUsers, catalog } = ports;
        const making = createKey({
          catalog: {
            stageKey: catalog.stageKey,
            commitKey: async (args) => {
              if (before === "commitKey") await met();
              return await catalog.commitKey(args);
            },
          },
          keyUsers: {
            ...keyUsers,
            remove: keyUsers.remove,
            create: async (user) => {
              if (before === "create") await met();
              await keyUsers.create(user);
            },
          },
        }, { user: world.owner, dataset: world.dataset, label: "", ttlSeconds: 3600 });
        await assert.rejects(making, (error) => error instanceof SedimentError);
        assert.equal(await world.settle(), 0);
        assert.equal(world.auth.size, 0);
      });
    }
  }
});
