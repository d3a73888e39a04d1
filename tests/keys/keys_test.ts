import { strict as assert } from "node:assert";
import { createBattleDataApp } from "../../functions/battle-data/app.ts";
import { createKeyUsers } from "../../shared/auth/key_users.ts";
import { type ErrorCode, SedimentError } from "../../shared/errors.ts";
import { createKeyGuard } from "../../shared/http/key_guard.ts";
import { hashOf, newSecret } from "../../shared/keys/key_secret.ts";
import { openKeySession } from "../../shared/keys/open_session.ts";
import { removeEndedKeys } from "../../shared/keys/remove_ended_keys.ts";
import { httpWorld, send } from "../support/http_world.ts";

const userId = "00000000-0000-4000-8000-0000000000a1";
const key = {
  key_id: "00000000-0000-4000-8000-0000000000b2",
  dataset_id: "00000000-0000-4000-8000-0000000000c3",
  user_id: userId,
  expires_at: "2026-11-30T12:00:00+00:00",
};
const invalid = () => Promise.reject(new SedimentError("key_invalid", "no such key"));
const codeIs = (code: ErrorCode) => (error: { code?: string }) => error.code === code;

Deno.test("a secret has 256 random bits, and the catalog its SHA-256", () => {
  const secrets = Array.from({ length: 100 }, newSecret);
  assert.equal(new Set(secrets).size, 100);
  for (const secret of secrets) assert.match(secret, /^sdk_[0-9a-f]{64}$/);
  assert.equal(
    hashOf(`sdk_${"0".repeat(64)}`),
    "220d7cd07a72d73f3cc255f6e4393b0e1ed3dd08a27f90916be5e74a870bcf73",
  );
});

Deno.test("a session ends with its token, or with the key where that comes before", async () => {
  const open = (expiresIn: number, now: string) =>
    openKeySession({
      catalog: { openKey: () => Promise.resolve(key) },
      keyUsers: { openSession: () => Promise.resolve({ accessToken: "t", expiresIn }) },
      guard: createKeyGuard(),
      now: new Date(now),
    }, newSecret());
  assert.equal((await open(3600, "2026-11-30T10:00:00Z")).expiresIn, 3600);
  assert.equal((await open(3600, "2026-11-30T11:59:00Z")).expiresIn, 60);
  assert.equal((await open(3600, "2026-11-30T12:01:00Z")).expiresIn, 0);
});

Deno.test("a key whose user Auth does not have is answered as one that is not known", async () => {
  const ports = { guard: createKeyGuard(), now: new Date() };
  const gone = openKeySession({
    ...ports,
    catalog: { openKey: () => Promise.resolve(key) },
    keyUsers: { openSession: () => Promise.resolve(null) },
  }, newSecret());
  await assert.rejects(gone, codeIs("key_invalid"));
});

Deno.test("strangers share a limit, and those who hold a key that was good do not meet it", async () => {
  const guard = createKeyGuard(20); // of which ten may come at once
  const known = newSecret();
  const ask = (secret: string, openKey: () => Promise<typeof key>) =>
    openKeySession({
      catalog: { openKey },
      keyUsers: { openSession: () => Promise.resolve({ accessToken: "t", expiresIn: 1 }) },
      guard,
      now: new Date(),
    }, secret);
  await ask(known, () => Promise.resolve(key));
  for (let n = 1; n < 10; n++) {
    await assert.rejects(ask(newSecret(), invalid), codeIs("key_invalid"));
  }
  await assert.rejects(ask(newSecret(), invalid), codeIs("rate_limited"));
  await ask(known, () => Promise.resolve(key));
  // one that has ended is a stranger's from then on
  await assert.rejects(ask(known, invalid), codeIs("key_invalid"));
  await assert.rejects(ask(known, invalid), codeIs("rate_limited"));
});

Deno.test("a user that can't be deleted keeps no other waiting, and stays to be deleted", async () => {
  const finished: string[] = [];
  const report = await removeEndedKeys({
    catalog: {
      claimEndedKeys: () =>
        Promise.resolve({
          keys: ["a", "b", "c"].map((id) => ({ key_id: id, user_id: id, attempt: 3 })),
          more: false,
        }),
      finishEndedKey: ({ key }) => {
        finished.push(key!);
        return Promise.resolve({ key_id: key!, finished: true });
      },
    },
    keyUsers: {
      remove: (id) =>
        id === "b" ? Promise.reject(new SedimentError("auth_failed", "no")) : Promise.resolve(),
    },
    clock: { now: () => 0 },
  }, { seconds: 10 });
  assert.deepEqual(finished, ["a", "c"]);
  assert.deepEqual(report, {
    removed: 2,
    failed: [{ key_id: "b", attempt: 3, code: "auth_failed", message: "no" }],
    more: false,
  });
});

/** Users of keys over an Auth that gives these answers one by one, and what it was asked. */
function usersOver(
  ...answers: [status: number, body?: unknown, headers?: Record<string, string>][]
) {
  const asked: { method: string; path: string; headers: Headers; body: Record<string, unknown> }[] =
    [];
  const users = createKeyUsers({
    url: "https://project.example",
    secretKey: "sb_secret_1",
    passwordKey: "a key",
    fetch: async (input, init) => {
      const request = new Request(input, init);
      const text = await request.text();
      asked.push({
        method: request.method,
        path: request.url.slice("https://project.example/auth/v1/".length),
        headers: request.headers,
        body: text === "" ? {} : JSON.parse(text),
      });
      const [status, body = {}, headers = {}] = answers.shift()!;
      return new Response(status === 204 ? null : JSON.stringify(body), { status, headers });
    },
  });
  return { users, asked };
}

const session = { access_token: "a.b.c", expires_in: 3600, user: { id: userId } };
const wrongPassword = { error_code: "invalid_credentials", msg: "Invalid login credentials" };
const holder = { userId, secret: "sdk_1" };

Deno.test("a session is handed out once Auth has forgotten it", async () => {
  const { users, asked } = usersOver([200, session], [204]);
  assert.deepEqual(await users.openSession(holder), { accessToken: "a.b.c", expiresIn: 3600 });
  const [signedIn, forgotten] = asked;
  assert.equal(signedIn!.path, "token?grant_type=password");
  assert.deepEqual([forgotten!.path, forgotten!.headers.get("authorization")], [
    "logout?scope=local",
    "Bearer a.b.c",
  ]);
  assert.ok(
    !JSON.stringify(signedIn!.body).includes(holder.secret),
    "the password is not the secret",
  );
  const kept = usersOver([200, session], [500]);
  await assert.rejects(kept.users.openSession(holder), codeIs("auth_failed"));
});

Deno.test("a user whose password is another is put right and signed in", async () => {
  const { users, asked } = usersOver([400, wrongPassword], [200, { id: userId }], [200, session], [
    204,
  ]);
  assert.equal((await users.openSession(holder))?.accessToken, "a.b.c");
  const [first, put, again] = asked;
  assert.deepEqual([put!.method, put!.path], ["PUT", `admin/users/${userId}`]);
  assert.deepEqual(put!.body.password, first!.body.password);
  assert.deepEqual(again!.body, first!.body);
});

Deno.test("a user who is gone, or shut out, has no session", async () => {
  const gone = usersOver([400, wrongPassword], [404, { error_code: "user_not_found" }]);
  assert.equal(await gone.users.openSession(holder), null);
  const banned = usersOver([400, { error_code: "user_banned" }]);
  assert.equal(await banned.users.openSession(holder), null);
});

Deno.test("a session of somebody else is never handed out", async () => {
  const { users } = usersOver([200, { ...session, user: { id: crypto.randomUUID() } }]);
  await assert.rejects(users.openSession(holder), codeIs("auth_failed"));
});

Deno.test("what Auth refuses is told by whose fault it is", async () => {
  const cases: [number, unknown, ErrorCode][] = [
    [429, {}, "rate_limited"],
    [500, {}, "auth_failed"],
    [401, { message: "Invalid API key" }, "misconfigured"],
    [422, { error_code: "email_provider_disabled" }, "misconfigured"],
  ];
  for (const [status, body, code] of cases) {
    const { users } = usersOver([status, body, { "retry-after": "7" }]);
    await assert.rejects(users.openSession(holder), codeIs(code));
    const other = usersOver([status, body]);
    await assert.rejects(other.users.create({ userId, keyId: "k", secret: "s" }), codeIs(code));
  }
  const silent = createKeyUsers({
    url: "https://project.example",
    secretKey: "s",
    passwordKey: "k",
    fetch: () => Promise.reject(new TypeError("connection refused")),
  });
  await assert.rejects(silent.remove(userId), codeIs("auth_failed"));
});

Deno.test("an Auth that chooses ids by itself is refused, and keeps no user", async () => {
  const { users, asked } = usersOver([200, { id: crypto.randomUUID() }], [200]);
  await assert.rejects(users.create({ userId, keyId: "k", secret: "s" }), codeIs("misconfigured"));
  assert.equal(asked[1]!.method, "DELETE");
});

Deno.test("the answer for a session holds nothing of Auth's own session", async () => {
  const { services } = httpWorld({
    keyUsers: {
      create: () => Promise.resolve(),
      openSession: () => Promise.resolve({ accessToken: "a.b.c", expiresIn: 3600 }),
      remove: () => Promise.resolve(),
    },
    now: () => new Date("2026-11-30T10:00:00Z"),
  });
  const app = createBattleDataApp({
    ...services,
    catalog: { ...services.catalog, openKey: () => Promise.resolve(key) },
  });
  const answer = await send(app, "POST", "/battle-data/keys/session", {
    json: { secret: newSecret() },
  });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, {
    access_token: "a.b.c",
    token_type: "bearer",
    expires_in: 3600,
    dataset_id: key.dataset_id,
    key_expires_at: key.expires_at,
  });
  assert.equal(answer.headers.get("cache-control"), "no-store");
});
