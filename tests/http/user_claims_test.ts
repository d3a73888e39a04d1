import { strict as assert } from "node:assert";
import { createBattleDataApp } from "../../functions/battle-data/app.ts";
import { createCompactionApp } from "../../functions/compaction/app.ts";
import type { ServiceAct } from "../../shared/http/authenticate.ts";
import { checkClaims, issuersOf } from "../../shared/http/user_claims.ts";
import { alice, cronKey, httpWorld, secretKey, send, tokenOf } from "../support/http_world.ts";

const soon = Math.floor(Date.now() / 1000) + 3600;
const access = {
  iss: "https://ref.supabase.co/auth/v1",
  aud: "authenticated",
  role: "authenticated",
  exp: soon,
};
const hosted = issuersOf("https://ref.supabase.co");

Deno.test("an access token is taken, also among several audiences", () => {
  checkClaims(access, hosted);
  checkClaims({ ...access, aud: ["authenticated", "another"] }, hosted);
  checkClaims({ ...access, iss: `${access.iss}/` }, hosted);
});

Deno.test("what the project's keys sign beside access tokens is refused by the claim that tells it apart", () => {
  const refused: [string, object][] = [
    // an ID token for a client of an OAuth app
    ["role", { ...access, aud: "9a8b7c6d-5e4f-3a2b-1c0d-9e8f7a6b5c4d", role: undefined }],
    ["role", { ...access, role: "anon" }],
    ["role", { ...access, role: "service_role" }],
    ["aud", { ...access, aud: "another" }],
    ["aud", { ...access, aud: undefined }],
    ["iss", { ...access, iss: "https://other.supabase.co/auth/v1" }],
    ["iss", { ...access, iss: "https://ref.supabase.co.evil.example/auth/v1" }],
    ["iss", { ...access, iss: undefined }],
    ["exp", { ...access, exp: undefined }],
  ];
  for (const [claim, claims] of refused) {
    assert.throws(() => checkClaims(claims, hosted), {
      code: "unauthenticated",
      extra: { reason: `token_${claim}` },
    });
  }
});

Deno.test("a custom domain's issuer is taken where it is named, and only then", () => {
  const custom = { ...access, iss: "https://api.example.com/auth/v1" };
  assert.throws(() => checkClaims(custom, hosted), { code: "unauthenticated" });
  checkClaims(custom, issuersOf("https://ref.supabase.co", [custom.iss]));
});

Deno.test("a local stack's tokens name another address than the one by which it is reached", () => {
  const local = { ...access, iss: "http://127.0.0.1:54321/auth/v1" };
  checkClaims(local, issuersOf("http://kong:8000"));
  assert.throws(() =>
    checkClaims({ ...local, iss: "supabase-demo" }, issuersOf("http://kong:8000"))
  );
  const named = issuersOf("http://kong:8000", ["http://localhost:54321/auth/v1"]);
  assert.throws(() => checkClaims(local, named));
});

Deno.test("over HTTP a token that is no access token is 401, and the scheme is written in any case", async () => {
  const app = createCompactionApp(httpWorld().services);
  const get = async (authorization: string) =>
    (await send(app, "GET", "/compaction/dlq-status", { headers: { authorization } })).body.code;
  for (
    const claims of [
      { role: undefined, aud: "a-client", nonce: "n" },
      { role: "anon" },
      { iss: "https://elsewhere.example/auth/v1" },
      { exp: undefined },
    ]
  ) {
    assert.equal(await get(`Bearer ${await tokenOf(alice, { claims })}`), "unauthenticated");
  }
  const token = await tokenOf(alice);
  for (const scheme of ["Bearer", "bearer", "BEARER"]) {
    assert.notEqual(await get(`${scheme} ${token}`), "unauthenticated", scheme);
  }
});

Deno.test("cron's key opens a service's routes and nothing of a user's", async () => {
  const { services } = httpWorld();
  const app = createCompactionApp(services);
  const data = createBattleDataApp(services);
  const headers = { apikey: cronKey };
  const triggered = await send(app, "POST", "/compaction/trigger-scheduled", { headers });
  assert.equal(triggered.status, 202);
  const dataset = "dataset_id=00000000-0000-4000-8000-0000000000d1";
  for (
    const [one, method, path] of [
      [data, "GET", `/battle-data/latest?${dataset}`],
      [data, "GET", "/battle-data/files/1/content"],
      [data, "POST", "/battle-data/upload"],
      [app, "POST", "/compaction"],
      [app, "GET", "/compaction/dlq-status"],
      [app, "POST", "/compaction/dlq/redrive"],
    ] as const
  ) {
    const answer = await send(one, method, path, {
      headers: { ...headers, "x-sediment-user": alice },
    });
    assert.deepEqual([answer.status, answer.body.code], [403, "forbidden"], path);
  }
});

Deno.test("a key that may act for users is logged each time it does, by its name", async () => {
  const lines: ServiceAct[] = [];
  const { services } = httpWorld({
    env: { SEDIMENT_ACTING_KEYS: "default, cron" },
    log: (line) => void lines.push(line),
  });
  const app = createCompactionApp(services);
  for (const apikey of [cronKey, secretKey]) {
    await send(app, "GET", "/compaction/dlq-status", {
      headers: { apikey, "x-sediment-user": alice, "x-request-id": "r-1" },
    });
  }
  assert.deepEqual(
    lines,
    ["cron", "default"].map((key) => ({
      level: "info",
      event: "service_acts",
      key,
      user: alice,
      method: "GET",
      path: "/compaction/dlq-status",
      request_id: "r-1",
    })),
  );
});
