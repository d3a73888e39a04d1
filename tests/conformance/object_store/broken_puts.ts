/** Puts that fail, stall or are stopped. Part of the suite of object stores. */
import { strict as assert } from "node:assert";

import { SedimentError } from "../../../shared/errors.ts";
import {
  assertSameBytes,
  type Check,
  cut,
  noise,
  staysMissing,
  streamOf,
  text,
  throwsCode,
} from "../store_case.ts";

/** Registers these checks. */
export function brokenPutChecks(check: Check): void {
  check("a stream that breaks off leaves nothing", async ({ store, key }) => {
    for (const size of [1000, 12_000_000]) {
      const broken = streamOf(cut(noise(size), 500_000), new Error("the source broke"));
      await throwsCode("store_failed", () => store.putStream(key("broken"), broken));
      await staysMissing(store, key("broken"));
    }
  });

  check("what a stream fails with is what its put fails with", async ({ store, key }) => {
    for (const size of [0, 1000, 20_000_000]) {
      const failure = new SedimentError("hash_mismatch", "the source found out at its end");
      const chunks = cut(noise(size), 500_000);
      await throwsCode("hash_mismatch", () => store.putStream(key("x"), streamOf(chunks, failure)));
    }
  });

  check("a put of a stream that stalls can be aborted", async ({ store, key }) => {
    const stop = new AbortController();
    let cancelled = false;
    const stalling = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (++pulls < 3) return controller.enqueue(noise(300_000));
        queueMicrotask(() => stop.abort());
        return new Promise(() => {});
      },
      cancel() {
        cancelled = true;
      },
    });
    let pulls = 0;
    const { signal } = stop;
    await throwsCode("aborted", () => store.putStream(key("stalled"), stalling, { signal }));
    await staysMissing(store, key("stalled"));
    assert.ok(cancelled, "the source should be told");
  });

  check("a put that is aborted midway leaves nothing", async ({ store, key }) => {
    const stop = new AbortController();
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(noise(300_000));
        if (++pulls === 10) stop.abort();
      },
    });
    let pulls = 0;
    await throwsCode(
      "aborted",
      () => store.putStream(key("aborted"), endless, { signal: stop.signal }),
    );
    await staysMissing(store, key("aborted"));
  });

  check("a call whose signal has fired does nothing", async ({ store, key }) => {
    await store.put(key("there"), text("there"));
    const signal = AbortSignal.abort();
    const calls: [string, () => Promise<unknown>][] = [
      ["put", () => store.put(key("new"), text("x"), { signal })],
      ["putStream", () => store.putStream(key("new"), streamOf([text("x")]), { signal })],
      ["get", () => store.get(key("there"), { signal })],
      ["getRange", () => store.getRange(key("there"), 0, 1, { signal })],
      ["head", () => store.head(key("there"), { signal })],
      ["deleteMany", () => store.deleteMany([key("there")], { signal })],
      ["list", () => store.list(key(""), { signal })],
      ["copy", () => store.copy(key("there"), key("new"), { signal })],
    ];
    for (const [, call] of calls) await throwsCode("aborted", call);
    assertSameBytes(await store.get(key("there")), text("there"));
    assert.equal(await store.head(key("new")), null);
  });
}
