/** What is wrong with a sign-in is said: the key, the URL, the password, the network. */
import { strict as assert } from "node:assert";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { version } from "../../shared/uploader/version.ts";
import { sediment } from "./support/cli.ts";
import { startHttpService } from "./support/http_service.ts";
import { bytesOf, datasetId, tokenOf, withFolder } from "./support/setup.ts";

interface Seen {
  path: string;
  headers: Headers;
}

async function withAuth(
  answer: (request: Request) => Response,
  test: (folder: string, url: string, seen: Seen[]) => Promise<void>,
): Promise<void> {
  const seen: Seen[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { pathname, search } = new URL(request.url);
    seen.push({ path: pathname + search, headers: request.headers });
    return answer(request);
  });
  await withFolder(async (folder) => {
    try {
      await test(folder, `http://127.0.0.1:${server.addr.port}`, seen);
    } finally {
      await server.shutdown();
    }
  });
}

const login = ["login", "--email", "me@example.com", "--key", "sb_publishable_x", "--url"];
const env = { SEDIMENT_PASSWORD: "a-long-password" };

Deno.test("a sign-in that is refused says by what, and what would help", async () => {
  const json = (status: number, body: unknown) => () => Response.json(body, { status });
  const cases: [() => Response, number, RegExp][] = [
    [
      json(400, { code: 400, error_code: "invalid_credentials", msg: "Invalid login credentials" }),
      1,
      /unauthenticated: the e-mail or the password is wrong[^]*--signup. makes one/,
    ],
    // As Auth says it since the API version of 2024-01-01.
    [
      json(422, { code: "user_already_exists", message: "User already registered" }),
      1,
      /there is a user with this e-mail already[^]*without --signup/,
    ],
    [json(400, { error_code: "email_not_confirmed", msg: "x" }), 1, /e-mail is not confirmed/],
    [json(422, { error_code: "weak_password", msg: "at least 12" }), 1, /at least 12/],
    [json(200, { id: "u", email: "me@example.com" }), 1, /there now, and not confirmed/],
    [
      json(401, { message: "Invalid API key", hint: "Double check" }),
      2,
      /invalid_config: .*does not know the key[^]*publishable key/,
    ],
    [json(404, { message: "no such route" }), 2, /no Supabase Auth at[^]*without a path/],
    [json(429, { msg: "slow down" }), 1, /rate_limited: .*too many sign-ins/],
    [json(503, { msg: "no" }), 1, /server_unreachable: .*HTTP 503/],
    [() => new Response("<html>room number?</html>"), 1, /no answer of Supabase Auth/],
  ];
  for (const [answer, code, said] of cases) {
    await withAuth(answer, async (folder, url) => {
      const ran = await sediment(folder, [...login, url], env);
      assert.equal(ran.code, code, ran.err);
      assert.match(ran.err, said);
      assert.ok(!ran.err.includes("    at "), "no stack trace");
    });
  }
  await withFolder(async (folder) => {
    const away = await sediment(folder, [...login, "http://127.0.0.1:1"], env);
    assert.equal(away.code, 1);
    assert.match(away.err, /server_unreachable: http:\/\/127\.0\.0\.1:1[^]*a network/);
  });
});

const session = (url: string, more: Record<string, unknown> = {}) =>
  JSON.stringify({
    url,
    key: "k",
    email: "ann@example.com",
    access_token: tokenOf("ann"),
    refresh_token: "r",
    expires_at: Date.now() / 1000 + 3600,
    ...more,
  });

Deno.test("logout ends the session at the server too, with a token that lives", async () => {
  const answer = (request: Request) =>
    request.url.includes("grant_type=refresh_token")
      ? Response.json({ access_token: tokenOf("new"), refresh_token: "r2", expires_in: 3600 })
      : new Response(null, { status: 204 });
  await withAuth(answer, async (folder, url, seen) => {
    await writeFile(join(folder, "session.json"), session(url));
    const ran = await sediment(folder, ["logout"]);
    assert.equal(ran.code, 0, ran.err);
    assert.equal(seen[0].path, "/auth/v1/logout?scope=local");
    assert.equal(seen[0].headers.get("authorization"), `Bearer ${tokenOf("ann")}`);
    await assert.rejects(readFile(join(folder, "session.json")));
    assert.match((await sediment(folder, ["logout"])).err, /nobody was signed in/);

    await writeFile(join(folder, "session.json"), session(url, { expires_at: 1 }));
    assert.equal((await sediment(folder, ["logout"])).code, 0);
    assert.equal(seen.at(-1)!.headers.get("authorization"), `Bearer ${tokenOf("new")}`);
  });
});

Deno.test("a logout without a network forgets the session here, and says that the server wasn't told", async () => {
  await withFolder(async (folder) => {
    await writeFile(join(folder, "session.json"), session("http://127.0.0.1:1"));
    const ran = await sediment(folder, ["logout"]);
    assert.equal(ran.code, 1);
    assert.match(ran.err, /signed out here; the server could not be told/);
    assert.equal((await sediment(folder, ["whoami"])).code, 1);
  });
});

Deno.test("a service pushes for a user by its own key, which no other server is told", async () => {
  const http = await startHttpService();
  const seen: Headers[] = [];
  const handle = http.service.handle.bind(http.service);
  http.service.handle = (method, url, headers, body) => {
    seen.push(headers);
    return handle(method, url, headers, body);
  };
  await withFolder(async (folder) => {
    try {
      await writeFile(join(folder, "a.parquet"), bytesOf(1));
      const user = "0a000000-0000-4000-8000-000000000001";
      const push = ["push", "a.parquet", "--dataset", datasetId, "--table", "t"];
      const service = { SEDIMENT_URL: http.service.origin, SEDIMENT_SERVICE_KEY: "sb_secret_x" };
      const ran = await sediment(folder, [...push, "--for", user], service);
      // This service knows no keys: what counts is what it was sent.
      assert.equal(ran.code, 3, ran.err);
      assert.ok(seen.length > 0);
      for (const headers of seen) {
        assert.equal(headers.get("apikey"), "sb_secret_x");
        assert.equal(headers.get("x-sediment-user"), user);
        assert.equal(headers.get("authorization"), null);
      }
      const pending = await sediment(folder, ["pending", "--json", "--for", user], service);
      assert.equal(JSON.parse(pending.out).user_id, user);
      assert.ok(!pending.out.includes("sb_secret"), "the key is nowhere on the disk");
      for (const words of [["--for", "me"], ["--for", user]]) {
        const { SEDIMENT_SERVICE_KEY: _, ...keyless } = service;
        const wrong = await sediment(
          folder,
          [...push, ...words],
          words[1] === user ? keyless : service,
        );
        assert.deepEqual(
          [wrong.code, /SEDIMENT_SERVICE_KEY/.test(wrong.err)],
          [2, true],
          wrong.err,
        );
      }
    } finally {
      await http.stop();
    }
  });
});

Deno.test("--version says the client's", async () => {
  await withFolder(async (folder) => {
    const { code, out } = await sediment(folder, ["--version"]);
    assert.deepEqual([code, out.trim()], [0, `sediment ${version}`]);
  });
});

Deno.test("the command line's own configuration names the versions of the checkout's", async () => {
  const read = async (path: string) =>
    JSON.parse(await readFile(new URL(`../../${path}`, import.meta.url), "utf8")).imports;
  const all = await read("deno.json");
  const own = await read("shared/uploader/cli/deno_cli.json");
  for (const [name, place] of Object.entries(own)) {
    const [bare, ...below] = name.split("/");
    assert.equal(place, [all[bare], ...below].join("/"), name);
  }
});
