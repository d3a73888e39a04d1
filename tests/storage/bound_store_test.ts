import { strict as assert } from "node:assert";
import { SedimentError } from "../../shared/errors.ts";
import { boundStore } from "../../shared/storage/bound_store.ts";
import { createMemoryStore } from "../support/memory_store.ts";

const deadlines = { callMs: 20, bytesMs: 20 };

/** A store of one object whose first calls do what they are told. */
async function bounded(first: ("hang" | "fail" | "missing")[]) {
  const calls: string[] = [];
  let armed = false;
  const store = createMemoryStore({
    before({ method }) {
      if (!armed) return;
      calls.push(method);
      const behaviour = first.shift();
      if (behaviour === "fail") throw new SedimentError("store_failed", "503 SlowDown");
      if (behaviour === "missing") throw new SedimentError("object_missing", "404");
      if (behaviour === "hang") return new Promise(() => {});
    },
  });
  await store.put("k", new Uint8Array(10));
  armed = true;
  // as fetch does: a call that is aborted ends
  const ending = new Proxy(store, {
    get: (target, method: keyof typeof store) => {
      const call = target[method];
      if (typeof call !== "function") return call;
      return (...args: unknown[]) => {
        const { signal } = args.at(-1) as { signal: AbortSignal };
        return Promise.race([
          (call as (...args: unknown[]) => Promise<unknown>)(...args),
          new Promise((_, reject) =>
            signal.addEventListener("abort", () => reject(new SedimentError("aborted", "stopped")))
          ),
        ]);
      };
    },
  });
  return { store: boundStore(ending, deadlines), calls };
}

Deno.test("a signature that stalls once, or is refused once, is asked for again", async () => {
  for (const behaviour of ["hang", "fail"] as const) {
    const { store, calls } = await bounded([behaviour]);
    assert.match(await store.signDownload("k", 60), /^memory:/);
    assert.equal(calls.length, 2);
  }
});

Deno.test("a store that stays silent is an outage, not a wait", async () => {
  const { store, calls } = await bounded(["hang", "hang", "hang"]);
  await assert.rejects(store.getRange("k", 0, 1), { code: "store_failed" });
  assert.equal(calls.length, 2);
});

Deno.test("a put that stalls is given up, and not made twice", async () => {
  const { store, calls } = await bounded(["hang"]);
  await assert.rejects(store.put("n", new Uint8Array(1)), { code: "store_failed" });
  assert.deepEqual(calls, ["put"]);
});

Deno.test("what the store knows is not asked twice", async () => {
  const { store, calls } = await bounded(["missing"]);
  await assert.rejects(store.getRange("k", 0, 1), { code: "object_missing" });
  assert.equal(calls.length, 1);
});

Deno.test("who stops waiting is told so at once", async () => {
  const { store, calls } = await bounded(["hang"]);
  const stop = new AbortController();
  const read = store.getRange("k", 0, 1, { signal: stop.signal });
  stop.abort();
  await assert.rejects(read, { code: "aborted" });
  assert.equal(calls.length, 1);
});
