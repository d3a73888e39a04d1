import { strict as assert } from "node:assert";
import { type CheckPorts, checkStore } from "../../shared/compaction/upkeep/check_store.ts";
import { wasmKey, wasmModules } from "../../shared/wasm/wasm_modules.ts";
import { createMemoryStore } from "../support/memory_store.ts";

interface Said {
  state?: "staged" | "stored" | "deleting" | "tombstone";
  size?: number;
  etag?: string;
}

/** A catalog of these objects, two a page. */
function catalogOf(said: Record<string, Said>): CheckPorts["catalog"] {
  const objects = Object.entries(said).map(([object_key, some]) => ({
    object_key,
    kind: "fragment" as const,
    state: "stored" as const,
    size: 3,
    etag: null,
    ...some,
  })).sort((a, b) => a.object_key < b.object_key ? -1 : 1);
  return {
    listObjects: ({ state, cursor }) => {
      const left = objects.filter((object) => object.state === state)
        .filter((object) => !cursor || object.object_key > cursor);
      return Promise.resolve({
        objects: left.slice(0, 2),
        next_cursor: left.length > 2 ? left[1].object_key : null,
      });
    },
    findObjects: ({ keys }) =>
      Promise.resolve({
        objects: objects.filter((object) => keys!.includes(object.object_key)),
      }),
  };
}

async function storeOf(keys: string[]) {
  const store = createMemoryStore();
  for (const key of keys) await store.put(key, new Uint8Array(3));
  return store;
}

Deno.test("nothing is told of a store that is as the catalog says", async () => {
  const keys = ["a", "b", "c", "d", "e"];
  const store = await storeOf(keys);
  const said = Object.fromEntries(keys.map((key) => [key, {}]));
  const report = await checkStore({
    catalog: catalogOf({ ...said, planned: { state: "staged" }, gone: { state: "tombstone" } }),
    store,
  });
  assert.deepEqual(report.differences, []);
  assert.equal(report.stored, 5);
  assert.equal(report.listed, 5);
});

Deno.test("what is missing, foreign, of another size or entity tag, or undead is told", async () => {
  const store = await storeOf(["fine", "foreign", "short", "changed", "undead", "going", "early"]);
  const report = await checkStore({
    catalog: catalogOf({
      fine: {},
      short: { size: 9 },
      changed: { etag: "another" },
      undead: { state: "tombstone" },
      going: { state: "deleting" },
      early: { state: "staged" },
      lost: {},
    }),
    store,
  });
  assert.deepEqual(
    Object.fromEntries(report.differences.map(({ key, kind }) => [key, kind])),
    { foreign: "foreign", short: "size", changed: "etag", undead: "undead", lost: "missing" },
  );
  assert.deepEqual(report.counts, { missing: 1, foreign: 1, size: 1, etag: 1, undead: 1 });
});

Deno.test("what was put or deleted while the check ran is no difference", async () => {
  const store = await storeOf(["a"]);
  const catalog = catalogOf({ a: {}, late: {}, removed: {} });
  const list = store.list.bind(store);
  const after = catalogOf({ a: {}, late: {}, removed: { state: "tombstone" } });
  const report = await checkStore({
    catalog: {
      listObjects: catalog.listObjects,
      findObjects: (args) => (args.keys!.includes("a") ? catalog : after).findObjects(args),
    },
    store: {
      head: store.head.bind(store),
      async list(prefix, options) {
        const page = await list(prefix, options);
        await store.put("late", new Uint8Array(3));
        return page;
      },
    },
  });
  assert.deepEqual(report.differences, []);
});

Deno.test("all differences are counted, and so many of them listed", async () => {
  const store = await storeOf(["a", "b", "c"]);
  const report = await checkStore({ catalog: catalogOf({}), store }, { listAtMost: 2 });
  assert.equal(report.counts.foreign, 3);
  assert.equal(report.differences.length, 2);
});

Deno.test("the wasm modules that the deployment put are not foreign", async () => {
  const store = await storeOf([wasmKey(wasmModules.zstd), "a"]);
  const { counts, listed } = await checkStore({ catalog: catalogOf({ a: {} }), store });
  assert.equal(listed, 2);
  assert.equal(counts.foreign, 0);
});
