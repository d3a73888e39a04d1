import { strict as assert } from "node:assert";
import { createConsoleApp } from "../../functions/console.ts";
import { httpWorld, send } from "../support/http_world.ts";

/** The console's app over an Auth that knows one password, and how often it was asked. */
async function withAuth(
  use: (signIn: (json: unknown) => ReturnType<typeof send>, asked: () => number) => Promise<void>,
) {
  let asked = 0;
  await using auth = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      asked++;
      const { password, refresh_token } = await request.json();
      return password === "right" || /^r\d+$/.test(refresh_token ?? "")
        ? Response.json({
          access_token: "a",
          refresh_token: `r${asked}`,
          expires_in: 3600,
          user: { id: 1 },
        })
        : Response.json({ error: "invalid_grant" }, { status: 400 });
    },
  );
  const SUPABASE_URL = `http://127.0.0.1:${auth.addr.port}`;
  const app = createConsoleApp(httpWorld({ env: { SUPABASE_URL } }).services);
  await use((json) => send(app, "POST", "/console/session", { json }), () => asked);
}

Deno.test("a session of the console holds tokens and nothing else of Auth's answer", async () => {
  await withAuth(async (signIn) => {
    const { status, body } = await signIn({ email: "me@example.com", password: "right" });
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(body).sort(), ["access_token", "expires_in", "refresh_token"]);
  });
});

Deno.test("whoever guesses one user's password is told to wait before Auth is asked, and others sign in meanwhile", async () => {
  await withAuth(async (signIn, asked) => {
    const guesses = await Promise.all(
      Array.from({ length: 30 }, (_, n) => {
        const email = n % 2 === 0 ? "me@example.com" : " ME@example.com";
        return signIn({ email, password: String(n) });
      }),
    );
    const statuses = Map.groupBy(guesses, ({ status }) => status);
    assert.deepEqual([...statuses.keys()].sort(), [401, 429]);
    assert.equal(statuses.get(401)!.length, asked());
    assert.ok(asked() <= 11, `Auth was asked ${asked()} times`);
    const { body, headers } = statuses.get(429)![0];
    assert.deepEqual([body.code, body.limit], ["rate_limited", "passwords"]);
    assert.ok(Number(headers.get("retry-after")) > 0);
    assert.equal((await signIn({ email: "you@example.com", password: "right" })).status, 200);
  });
});

Deno.test("sign-ins of all together have a bound, whatever names are tried", async () => {
  await withAuth(async (signIn, asked) => {
    const tries = Array.from({ length: 60 }, (_, n) => n);
    const guesses = await Promise.all(
      tries.map((n) => signIn({ email: `${n}@example.com`, password: "wrong" })),
    );
    assert.ok(asked() < 40, `Auth was asked ${asked()} times`);
    assert.equal(guesses.filter(({ status }) => status === 429).length, 60 - asked());
  });
});

Deno.test("who tries words for tokens does not keep out who comes back with one that was handed out", async () => {
  await withAuth(async (signIn) => {
    const { body } = await signIn({ email: "me@example.com", password: "right" });
    const junk = await Promise.all(
      Array.from({ length: 60 }, (_, n) => signIn({ refresh_token: `junk ${n}` })),
    );
    assert.ok(junk.some(({ status }) => status === 429));
    const again = await signIn({ refresh_token: body.refresh_token });
    assert.equal(again.status, 200);
    assert.notEqual(again.body.refresh_token, body.refresh_token);
  });
});

Deno.test("a session that was opened here is refreshed so often a minute, and others are meanwhile", async () => {
  await withAuth(async (signIn) => {
    let { body } = await signIn({ email: "me@example.com", password: "right" });
    const other = (await signIn({ email: "you@example.com", password: "right" })).body;
    let refreshes = 0;
    for (;; refreshes++) {
      const next = await signIn({ refresh_token: body.refresh_token });
      if (next.status === 429) {
        assert.equal(next.body.limit, "refreshes");
        break;
      }
      body = next.body;
    }
    assert.ok(refreshes <= 11, `${refreshes} refreshes`);
    assert.equal((await signIn({ refresh_token: other.refresh_token })).status, 200);
  });
});
