import { strict as assert } from "node:assert";
import { fairCalls } from "../../shared/catalog/fair_calls.ts";
import type { SedimentError } from "../../shared/errors.ts";
import { thrownBy } from "../support/thrown_by.ts";

/** A transport whose calls are held until they are let go, by the name that they carry. */
function held() {
  const going: { name: string; end: (answer?: unknown) => void; fail: (error: Error) => void }[] =
    [];
  const begun: string[] = [];
  const transport = fairCalls((_name, args) => {
    begun.push(String(args.name));
    return new Promise((end, fail) => going.push({ name: String(args.name), end, fail }));
  }, { total: 2, perUser: 1, waiting: 3 });
  const call = (name: string, user?: string, signal?: AbortSignal) =>
    transport("f", { name, ...(user !== undefined && { p_user: user }) }, { signal });
  const settle = () => new Promise((resolve) => setTimeout(resolve));
  return {
    begun,
    call,
    async end(name: string) {
      await settle();
      going.splice(going.findIndex((one) => one.name === name), 1)[0]!.end(name);
      await settle();
    },
    settle,
  };
}

Deno.test("a user's calls wait for each other, and another's for none of them", async () => {
  const { call, begun, end, settle } = held();
  const all = [call("m1", "m"), call("m2", "m"), call("m3", "m"), call("a1", "a")];
  await settle();
  assert.deepEqual(begun, ["m1", "a1"]);
  await end("m1");
  assert.deepEqual(begun, ["m1", "a1", "m2"]);
  for (const name of ["a1", "m2", "m3"]) await end(name);
  assert.deepEqual(await Promise.all(all), ["m1", "m2", "m3", "a1"]);
});

Deno.test("where all have calls on their way users take turns, whoever has more", async () => {
  const { call, begun, end, settle } = held();
  const all = [
    call("m1", "m"),
    call("n1", "n"),
    call("m2", "m"),
    call("m3", "m"),
    call("a1", "a"),
    call("b1", "b"),
  ];
  await settle();
  for (const name of ["m1", "n1", "m2", "a1", "b1", "m3"]) await end(name);
  assert.deepEqual(begun, ["m1", "n1", "m2", "a1", "b1", "m3"]);
  await Promise.all(all);
});

Deno.test("a service's calls and groups of uploads wait for no user", async () => {
  const { call, begun, end, settle } = held();
  const all = [call("m1", "m"), call("n1", "n"), call("group"), call("claim")];
  await settle();
  assert.deepEqual(begun.sort(), ["claim", "group", "m1", "n1"]);
  for (const name of ["m1", "n1", "group", "claim"]) await end(name);
  await Promise.all(all);
});

Deno.test("more calls of a user than may wait are refused, and say how long it takes", async () => {
  const { call, end } = held();
  const all = [call("m1", "m"), call("m2", "m"), call("m3", "m"), call("m4", "m")];
  const refused: SedimentError = await thrownBy(call("m5", "m"));
  assert.equal(refused.code, "rate_limited");
  assert.equal(refused.retryAfterSeconds, 1);
  assert.deepEqual(refused.extra, { limit: "requests_at_once" });
  for (const name of ["m1", "m2", "m3", "m4"]) await end(name);
  await Promise.all(all);
});

Deno.test("a call that is stopped while it waits is not made, and gives its place up", async () => {
  const { call, begun, end } = held();
  const stop = new AbortController();
  const all = [call("m1", "m"), call("m3", "m")];
  const stopped = thrownBy(call("m2", "m", stop.signal));
  stop.abort();
  assert.equal((await stopped).code, "aborted");
  await end("m1");
  await end("m3");
  await Promise.all(all);
  assert.deepEqual(begun, ["m1", "m3"]);
});
