import { strict as assert } from "node:assert";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
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
