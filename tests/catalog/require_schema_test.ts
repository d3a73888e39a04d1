import { strict as assert } from "node:assert";
import { catalogOver } from "../../shared/catalog/catalog_methods.ts";
import { requireSchema } from "../../shared/catalog/require_schema.ts";
import { sqlError } from "../../shared/catalog/sql_error.ts";
import { SedimentError } from "../../shared/errors.ts";

/** A schema whose version is what `answers` gives, in turn, the last one for ever; a code is what PostgreSQL says. */
function world(answers: (number | string)[], some: { tick?: () => Promise<unknown> } = {}) {
  const asked: string[] = [];
  let time = 0;
  const catalog = requireSchema(
    catalogOver((name) => {
      asked.push(name);
      if (name !== "schema_version") {
        return some.tick?.() ?? Promise.resolve({ ready: 0, leases: null, woken: 0 });
      }
      const answer = answers.length > 1 ? answers.shift()! : answers[0];
      return typeof answer === "number"
        ? Promise.resolve(answer)
        : Promise.reject(sqlError({ code: answer, message: "no" }, name));
    }),
    { needed: 3, now: () => time },
  );
  return {
    asked,
    pass: (ms: number) => time += ms,
    tick: () => catalog.tick({}).then(() => "ticked", (error: SedimentError) => error.code),
    catalog,
  };
}

Deno.test("a schema that is as new as the code needs, or newer, is asked once", async () => {
  for (const version of [3, 4]) {
    const { asked, tick } = world([version]);
    assert.deepEqual(await Promise.all([tick(), tick()]), ["ticked", "ticked"]);
    assert.equal(await tick(), "ticked");
    assert.deepEqual(asked, ["schema_version", "tick", "tick", "tick"]);
  }
});

Deno.test("an older schema, and one without a version, is outdated: nothing of it is called", async () => {
  for (const answer of [2, "PGRST202", "42883"]) {
    const { asked, catalog } = world([answer]);
    await assert.rejects(catalog.tick({}), (error: SedimentError) => {
      assert.equal(error.code, "schema_outdated");
      assert.equal(error.status, 503);
      assert.ok(error.retryable);
      assert.equal(error.retryAfterSeconds, 5);
      assert.match(error.message, /has version [02], this function needs 3/);
      return true;
    });
    assert.deepEqual(asked, ["schema_version"]);
  }
});

Deno.test("an outdated schema is asked again after five seconds, by one of those that call, and then works", async () => {
  const { asked, pass, tick } = world([2, 2, 3]);
  const said = [];
  for (let second = 0; second < 12; second++) {
    said.push(...await Promise.all([tick(), tick()]));
    pass(1000);
  }
  assert.deepEqual(said.slice(0, 20), Array(20).fill("schema_outdated"));
  assert.deepEqual(said.slice(20), Array(4).fill("ticked"));
  assert.deepEqual(asked.filter((name) => name === "schema_version").length, 3);
});

Deno.test("a schema that can't be asked is not outdated, and the next call asks again", async () => {
  const { tick } = world(["08006", 3]);
  assert.equal(await tick(), "catalog_failed");
  assert.equal(await tick(), "ticked");
});

Deno.test("a function that goes missing later is a schema that went back, or else what it was", async () => {
  const missing = () => Promise.reject(sqlError({ code: "42883", message: "no tick" }, "tick"));
  const back = world([3, 2], { tick: missing });
  assert.equal(await back.tick(), "schema_outdated");
  assert.deepEqual(back.asked, ["schema_version", "tick", "schema_version"]);
  const gone = world([3], { tick: missing });
  assert.equal(await gone.tick(), "misconfigured");
});

Deno.test("who stops waiting for the version takes nothing from the others", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const catalog = requireSchema(
    catalogOver((name) =>
      name === "schema_version" ? promise : Promise.resolve({ ready: 0, leases: null, woken: 0 })
    ),
    { needed: 1 },
  );
  const stop = new AbortController();
  const stopped = catalog.tick({}, { signal: stop.signal });
  const other = catalog.tick({});
  stop.abort();
  await assert.rejects(stopped, { code: "aborted" });
  resolve(1);
  assert.equal((await other).ready, 0);
});
