import { strict as assert } from "node:assert";
import { vacuum, type VacuumPorts } from "../../shared/compaction/upkeep/vacuum.ts";
import { SedimentError } from "../../shared/errors.ts";
import { createMemoryStore } from "../support/memory_store.ts";

/** A catalog that hands out slices of keys until it was told that they are gone. */
function catalogOf(keys: string[], sliceSize: number) {
  const left = new Set(keys);
  const told: string[] = [];
  return {
    left,
    told,
    stageSplits: () => Promise.resolve({ splits: [], more: false }),
    planVacuum: () => {
      const slice = [...left].slice(0, sliceSize);
      return Promise.resolve({
        dry_run: false,
        versions: [],
        files_dropped: slice.length,
        delete: slice.map((object_key) => ({
          object_key,
          kind: "fragment",
          state: "deleting" as const,
          size: 10,
          reason: "no version since 3 shows it",
        })),
        more: left.size > slice.length,
      });
    },
    commitVacuum: ({ keys }: { keys: readonly string[] | null }) => {
      for (const key of keys!) left.delete(key);
      told.push(...keys!);
      return Promise.resolve({ tombstones: keys!.length, ignored: 0 });
    },
  };
}

const keys = ["a/1", "a/2", "a/3", "a/4", "a/5"];

async function storeOf(hooks: Parameters<typeof createMemoryStore>[0] = {}) {
  const store = createMemoryStore(hooks);
  for (const key of [...keys, "a/kept"]) await store.put(key, new Uint8Array(10));
  return store;
}

const clock = { now: () => 0 };
const portsOf = (catalog: ReturnType<typeof catalogOf>, store: Partial<VacuumPorts["store"]>) =>
  ({ catalog, store, clock }) as unknown as VacuumPorts;

Deno.test("a vacuum deletes what the catalog names, slice by slice, and nothing else", async () => {
  const catalog = catalogOf(keys, 2);
  const store = await storeOf();
  const report = await vacuum(portsOf(catalog, store), { seconds: 60 });
  assert.deepEqual([...store.objects.keys()], ["a/kept"]);
  assert.deepEqual(catalog.told, keys);
  assert.equal(report.objects_deleted, 5);
  assert.equal(report.bytes_deleted, 50);
  assert.equal(report.more, false);
});

Deno.test("a vacuum that time ends in the middle of its keys is unfinished, one of idle datasets is not", async () => {
  const catalog = catalogOf(keys, 2);
  const report = await vacuum(portsOf(catalog, await storeOf()), { seconds: 0 });
  assert.deepEqual([report.objects_deleted, report.more, report.unfinished], [2, true, true]);
  const idle = {
    ...catalog,
    planVacuum: () =>
      Promise.resolve({ dry_run: false, versions: [], files_dropped: 0, delete: [], more: true }),
  } as unknown as typeof catalog;
  const nothing = await vacuum(portsOf(idle, await storeOf()), { seconds: 0 });
  assert.deepEqual([nothing.more, nothing.unfinished], [true, false]);
});

Deno.test("a dry run deletes nothing and tells the catalog nothing", async () => {
  const catalog = catalogOf(keys, 2);
  const store = await storeOf();
  const report = await vacuum(portsOf(catalog, store), { seconds: 60, dryRun: true });
  assert.equal(store.objects.size, 6);
  assert.deepEqual(catalog.told, []);
  assert.equal(report.more, true);
  assert.deepEqual([report.objects_deleted, report.bytes_deleted, report.files_dropped], [0, 0, 0]);
  assert.deepEqual(
    report.would?.delete.map(({ object_key, reason }) => [object_key, reason]),
    [["a/1", "no version since 3 shows it"], ["a/2", "no version since 3 shows it"]],
    "it lists what it would delete, and why",
  );
  assert.equal(report.would?.bytes, 20);
});

Deno.test("keys whose deletion failed are not told as gone", async () => {
  const catalog = catalogOf(keys, 2);
  let calls = 0;
  const store = await storeOf({
    before: ({ method }) => {
      if (method === "deleteMany" && ++calls === 2) throw new SedimentError("store_failed", "503");
    },
  });
  await assert.rejects(vacuum(portsOf(catalog, store), { seconds: 60 }), { code: "store_failed" });
  assert.deepEqual(catalog.told, ["a/1", "a/2"]);
  await vacuum(portsOf(catalog, store), { seconds: 60 });
  assert.deepEqual([...store.objects.keys()], ["a/kept"]);
});

Deno.test("a vacuum ends between slices when its time is up and says that there is more", async () => {
  const catalog = catalogOf(keys, 2);
  const store = await storeOf();
  let now = 0;
  const ports = { ...portsOf(catalog, store), clock: { now: () => now += 40_000 } };
  const report = await vacuum(ports, { seconds: 60 });
  assert.ok(report.objects_deleted < 5 && report.objects_deleted > 0);
  assert.equal(report.more, true);
});

Deno.test("a vacuum gives up the uploads of outputs that nobody ended within a day", async () => {
  const asked: [string, string][] = [];
  const store = {
    deleteMany: () => Promise.resolve(),
    abandonUploads: (prefix: string, before: Date) => {
      asked.push([prefix, before.toISOString()]);
      return Promise.resolve(3);
    },
  };
  const ports = {
    ...portsOf(catalogOf(keys, 2), store),
    clock: { now: () => 86_400_000 },
  };
  assert.equal((await vacuum(ports, { seconds: 60, dryRun: true })).uploads_abandoned, 0);
  assert.deepEqual(asked, []);
  assert.equal((await vacuum(ports, { seconds: 60 })).uploads_abandoned, 3);
  assert.deepEqual(asked, [["battle_compacted/", "1970-01-01T00:00:00.000Z"]]);
});

Deno.test("a store that lists no unfinished uploads keeps a vacuum from nothing else", async () => {
  const catalog = catalogOf(keys, 2);
  const store = {
    deleteMany: () => Promise.resolve(),
    abandonUploads: () => Promise.reject(new SedimentError("misconfigured", "403 AccessDenied")),
  };
  const report = await vacuum(portsOf(catalog, store), { seconds: 60 });
  assert.equal(report.objects_deleted, 5);
  assert.deepEqual([report.uploads_abandoned, report.uploads_error], [0, "403 AccessDenied"]);
});
