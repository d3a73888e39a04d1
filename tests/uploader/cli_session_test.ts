import { strict as assert } from "node:assert";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { clockWarning } from "../../shared/uploader/cli/auth_api.ts";
import { sediment } from "./support/cli.ts";
import { bytesOf, datasetId, tokenOf, withFolder } from "./support/setup.ts";

/** A server that answers all by `answer`, and a session at it whose token has run out. */
async function withLapsed(
  answer: (request: Request) => Response,
  test: (folder: string, env: Record<string, string>, seen: string[]) => Promise<void>,
): Promise<void> {
  const seen: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    seen.push(new URL(request.url).pathname);
    return answer(request);
  });
  await withFolder(async (folder) => {
    try {
      const url = `http://127.0.0.1:${server.addr.port}`;
      const session = {
        url,
        key: "k",
        email: "ann@example.com",
        access_token: tokenOf("ann"),
        refresh_token: "r",
        expires_at: 1,
      };
      await writeFile(join(folder, "session.json"), JSON.stringify(session));
      await writeFile(join(folder, "a.parquet"), bytesOf(1));
      await test(folder, { SEDIMENT_URL: url, SEDIMENT_KEY: "k", SEDIMENT_PASSWORD: "pw" }, seen);
    } finally {
      await server.shutdown();
    }
  });
}

const push = ["push", "a.parquet", "--dataset", datasetId, "--table", "a", "--json"];
const html = { "content-type": "text/html" };

Deno.test("a refresh that a hotel, a rate limit or a server in trouble answers is no sign-out", async () => {
  const answers = [
    () => new Response("<html>room number?</html>", { headers: html }),
    () => new Response(null, { status: 302, headers: { location: "http://127.0.0.1:1/" } }),
    () => Response.json({ msg: "over_request_rate_limit" }, { status: 429 }),
    () => Response.json({ msg: "no" }, { status: 503 }),
  ];
  for (const answer of answers) {
    await withLapsed(answer, async (folder, env, seen) => {
      const { out, code } = await sediment(folder, push, env);
      const { summary } = JSON.parse(out.trim().split("\n").at(-1)!);
      assert.deepEqual([code, summary.state, summary.pending], [3, "paused", 1], out);
      assert.deepEqual(seen, ["/auth/v1/token"]);
      const [item] = (await sediment(folder, ["pending", "--json"], env)).out.trim().split("\n");
      assert.equal(JSON.parse(item).user_id, "ann");
    });
  }
});

Deno.test("a refresh token that is no longer taken is a sign-out", async () => {
  const refused = () => Response.json({ msg: "Invalid Refresh Token" }, { status: 400 });
  await withLapsed(refused, async (folder, env) => {
    const { out } = await sediment(folder, push, env);
    assert.equal(JSON.parse(out.trim().split("\n").at(-1)!).summary.state, "parked");
  });
});

Deno.test("a redirect gets neither the password nor the token", async () => {
  const leaks: string[] = [];
  const thief = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    leaks.push(await request.text() + request.headers.get("authorization"));
    return Response.json({});
  });
  const location = `http://127.0.0.1:${thief.addr.port}/`;
  const away = () => new Response(null, { status: 307, headers: { location } });
  try {
    await withLapsed(away, async (folder, env) => {
      const login = ["login", "--email", "ann@example.com"];
      assert.equal((await sediment(folder, login, env)).code, 1);
      await sediment(folder, push, env);
      await sediment(folder, ["ls", "--dataset", datasetId], { ...env, SEDIMENT_TOKEN: "t" });
      assert.deepEqual(leaks, []);
      assert.match(await readFile(join(folder, "session.json"), "utf8"), /ann@example/);
    });
  } finally {
    await thief.shutdown();
  }
});

Deno.test("a token that the service refuses is renewed once, and not a second time", async () => {
  for (const second of [200, 401]) {
    const asked: string[] = [];
    const answer = (request: Request) => {
      const { pathname } = new URL(request.url);
      const token = request.headers.get("authorization")?.slice("Bearer ".length);
      if (pathname === "/auth/v1/token") {
        return Response.json({
          access_token: `${tokenOf("ann")}2`,
          refresh_token: "r2",
          expires_in: 3600,
          expires_at: 5,
        });
      }
      asked.push(token!.endsWith("2") ? "new" : "old");
      return token!.endsWith("2") && second === 200
        ? Response.json({ version: 1, files: [], next_cursor: null })
        : Response.json({ code: "unauthenticated", detail: "no" }, { status: 401 });
    };
    await withLapsed(answer, async (folder, env, seen) => {
      const path = join(folder, "session.json");
      const session = JSON.parse(await readFile(path, "utf8"));
      // alive by this machine's clock, which the server does not share
      await writeFile(path, JSON.stringify({ ...session, expires_at: Date.now() / 1000 + 3000 }));
      const { code, out, err } = await sediment(
        folder,
        ["ls", "--dataset", datasetId, "--json"],
        env,
      );
      assert.equal(code === 0, second === 200, out + err);
      assert.deepEqual(asked, ["old", "new"]);
      const pushed = await sediment(folder, push, env);
      const { summary } = JSON.parse(pushed.out.trim().split("\n").at(-1)!);
      if (second === 401) assert.equal(summary.state, "parked", pushed.out);
      const refreshes = seen.filter((path) => path === "/auth/v1/token").length;
      assert.ok(refreshes <= 2, `${refreshes} refreshes of two commands`);
      const { expires_at } = JSON.parse(await readFile(path, "utf8"));
      assert.ok(expires_at > Date.now() / 1000 + 3000, "its end is counted from receipt");
    });
  }
});

Deno.test("an upload that is refused goes with the renewed token, and nothing parks", async () => {
  const tokens: string[] = [];
  const answer = (request: Request) => {
    if (new URL(request.url).pathname === "/auth/v1/token") {
      return Response.json({
        access_token: `${tokenOf("ann")}2`,
        refresh_token: "r2",
        expires_in: 3600,
      });
    }
    const isNew = request.headers.get("authorization")!.endsWith("2");
    tokens.push(isNew ? "new" : "old");
    return isNew
      ? Response.json({ code: "store_failed" }, { status: 503 })
      : Response.json({ code: "unauthenticated" }, { status: 401 });
  };
  await withLapsed(answer, async (folder, env) => {
    const path = join(folder, "session.json");
    const session = JSON.parse(await readFile(path, "utf8"));
    await writeFile(path, JSON.stringify({ ...session, expires_at: Date.now() / 1000 + 3000 }));
    const { out } = await sediment(folder, push, env);
    const { summary } = JSON.parse(out.trim().split("\n").at(-1)!);
    assert.notEqual(summary.state, "parked", out);
    assert.ok(tokens.includes("new"), tokens.join());
    assert.equal(tokens.filter((token) => token === "old").length, 1);
  });
});

Deno.test("a clock that is off by a minute or more is told of, in which direction and by how much", () => {
  assert.equal(clockWarning({}), null);
  assert.equal(clockWarning({ clock_ahead_seconds: -59 }), null);
  assert.match(clockWarning({ clock_ahead_seconds: 600 })!, /10 min ahead of/);
  assert.match(clockWarning({ clock_ahead_seconds: -3 * 3600 })!, /3 h behind/);
});
