import { strict as assert } from "node:assert";
import { catalogOver } from "../../shared/catalog/catalog_methods.ts";
import { createCatalog, type RpcClient } from "../../shared/catalog/catalog.ts";
import { SedimentError } from "../../shared/errors.ts";

const ticked = { ready: 1, leases: null, woken: 0 };

Deno.test("a method calls the SQL function of its name with its arguments", async () => {
  const calls: unknown[] = [];
  const catalog = catalogOver((name, args) => {
    calls.push([name, args]);
    return Promise.resolve({
      lease_expires_at: "2026-11-22T02:00:00+00:00",
      lease_seconds: 300,
    });
  });
  await catalog.renewLease({ run: "r", token: 5, seconds: undefined });
  assert.deepEqual(calls, [["renew_lease", { p_run: "r", p_token: 5 }]]);
});

Deno.test("null is sent, undefined is left to the function's default", async () => {
  let sent: unknown;
  const catalog = catalogOver((_name, args) => {
    sent = args;
    return Promise.resolve({ version: 0 });
  });
  const { dataset, periodTag } = { dataset: "d", periodTag: null };
  await catalog.listFiles({ user: null, dataset, periodTag, table: undefined }).catch(() => {});
  assert.deepEqual(sent, { p_user: null, p_dataset: "d", p_period_tag: null });
});

Deno.test("an answer of another shape is an error that says where", async () => {
  const catalog = catalogOver(() => Promise.resolve({ ...ticked, woken: "two" }));
  await assert.rejects(catalog.tick({}), (error: SedimentError) => {
    assert.equal(error.code, "misconfigured");
    assert.match(error.message, /^tick answered another shape at woken/);
    return true;
  });
});

Deno.test("a failed fetch is catalog_failed and can be tried again", async () => {
  const error = { message: "TypeError: fetch failed", code: "", details: "", hint: "" };
  const catalog = createCatalog(client(() => Promise.resolve({ data: null, error })));
  await assert.rejects(catalog.tick({}), (error: SedimentError) => {
    assert.equal(error.code, "catalog_failed");
    assert.ok(error.retryable);
    return true;
  });
});

Deno.test("a call that is stopped says aborted, whatever the client answers", async () => {
  const stop = new AbortController();
  const said = { data: null, error: { message: "AbortError", code: "20" } };
  const catalog = createCatalog(client((signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) resolve(said);
      signal?.addEventListener("abort", () => resolve(said));
    })
  ));
  const call = catalog.tick({}, { signal: stop.signal });
  stop.abort(new Error("turn is over"));
  await assert.rejects(call, { code: "aborted" });
  await assert.rejects(catalog.tick({}, { signal: stop.signal }), { code: "aborted" });
});

Deno.test("the data of a good answer is what the method gives", async () => {
  const catalog = createCatalog(client(() => Promise.resolve({ data: ticked, error: null })));
  assert.deepEqual(await catalog.tick({}), ticked);
});

Deno.test("a call that PostgREST does not pass on while it reads the schema anew is made again", async () => {
  for (const code of ["PGRST002", "PGRST202"]) {
    let calls = 0;
    const error = { message: "not yet", code };
    const catalog = createCatalog(
      client(() =>
        Promise.resolve(++calls < 3 ? { data: null, error } : { data: ticked, error: null })
      ),
    );
    assert.deepEqual(await catalog.tick({}), ticked);
    assert.equal(calls, 3);
  }
});

Deno.test("the version of a schema that has none is not waited for", async () => {
  let calls = 0;
  const error = { message: "no", code: "PGRST202" };
  const catalog = createCatalog(client(() => Promise.resolve({ data: null, error, at: calls++ })));
  await assert.rejects(catalog.schemaVersion({}), { code: "misconfigured" });
  assert.equal(calls, 1);
});

/** A client whose every rpc gives that answer. */
function client(answer: (signal?: AbortSignal) => Promise<unknown>): RpcClient {
  const rpc = () => {
    let given: AbortSignal | undefined;
    return {
      abortSignal(signal: AbortSignal) {
        given = signal;
        return this;
      },
      then(resolve: (value: unknown) => void, reject: (error: unknown) => void) {
        return answer(given).then(resolve, reject);
      },
    };
  };
  return { rpc } as unknown as RpcClient;
}
