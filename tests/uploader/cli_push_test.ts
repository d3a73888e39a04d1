import { strict as assert } from "node:assert";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { allFolders } from "../../shared/uploader/cli/pending_folders.ts";
import { findFiles } from "../../shared/uploader/cli/push/find_files.ts";
import { eventually } from "../support/eventually.ts";
import { quietPort } from "../support/quiet_port.ts";
import { cliArgs, cliEnv, sediment, shell } from "./support/cli.ts";
import { startHttpService } from "./support/http_service.ts";
import { bytesOf, datasetId, tokenOf, withFolder } from "./support/setup.ts";

const push = ["push", "in", "--dataset", datasetId];

/** A folder `in` of Parquet files, a service, and the environment of a signed-in user. */
async function withFiles(
  count: number,
  test: (parts: {
    folder: string;
    http: Awaited<ReturnType<typeof startHttpService>>;
    env: Record<string, string>;
  }) => Promise<void>,
): Promise<void> {
  const http = await startHttpService({}, quietPort()); // tests stop it and start it again there
  await withFolder(async (folder) => {
    try {
      await mkdir(join(folder, "in"));
      for (let i = 0; i < count; i++) await put(folder, `t${i}/2024-11-25/f.parquet`, bytesOf(i));
      const { origin } = http.service;
      const env = { SEDIMENT_TOKEN: "token-1", SEDIMENT_URL: origin, SEDIMENT_KEY: "k" };
      await test({ folder, http, env });
    } finally {
      await http.stop();
    }
  });
}

/** A file below `in`. */
async function put(folder: string, path: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(dirname(join(folder, "in", path)), { recursive: true });
  await writeFile(join(folder, "in", path), bytes);
}

const jsonLines = (text: string) => text.trim().split("\n").map((line) => JSON.parse(line));

Deno.test("a reader that closes the pipe (`| head`) stops no file from being sent", async () => {
  await withFiles(40, async ({ folder, http, env }) => {
    const line = `sediment ${push.join(" ")} | head -1; exit \${PIPESTATUS[0]}`;
    const { code, err } = await shell(folder, line, env);
    assert.equal(code, 0, err);
    assert.equal(http.service.stored.size, 40);
    const listing = `sediment pending --json | head -1; exit \${PIPESTATUS[0]}`;
    assert.equal((await shell(folder, listing, env)).code, 0);
  });
});

Deno.test("what could not be sent goes with the next push, of the same files or of others", async () => {
  await withFiles(3, async ({ folder, http, env }) => {
    await http.stop();
    const away = await sediment(folder, push, env);
    assert.equal(away.code, 3);
    assert.match(away.err, /3 pending \(the server can't be reached\)/);
    const back = await startHttpService({}, http.port);
    try {
      const again = await sediment(folder, [...push, "--json"], env);
      const lines = jsonLines(again.out);
      assert.deepEqual(lines.slice(0, 3).map(({ status }) => status), Array(3).fill("stored"));
      assert.equal(lines[3].summary.stored, 3);
      assert.equal(again.code, 0, again.err);

      await put(folder, "left/0/f.parquet", bytesOf(50));
      await sediment(folder, [...push, "--no-send"], env);
      await writeFile(join(folder, "new.parquet"), bytesOf(51));
      const one = ["push", "new.parquet", "--dataset", datasetId, "--table", "new"];
      const other = await sediment(folder, one, env);
      assert.equal(other.code, 0, other.err);
      assert.match(other.err, /4 that were pending/);
      assert.equal(back.service.stored.size, 5);
    } finally {
      await back.stop();
    }
  });
});

Deno.test("what a full folder refuses is pushed when sending has made room", async () => {
  await withFiles(12, async ({ folder, http, env }) => {
    const small = { ...env, SEDIMENT_PENDING_QUOTA_ITEMS: "2" };
    const { code, out, err } = await sediment(folder, push, small);
    assert.equal(code, 0, out + err);
    assert.equal(http.service.stored.size, 12);
    await http.stop();
    const full = await sediment(folder, [...push, "--json"], small);
    const { summary } = jsonLines(full.out).at(-1);
    assert.deepEqual([full.code, summary.pending, summary.failed], [1, 2, 10]);
  });
});

Deno.test("a session is used at the server that it is of, and nowhere else", async () => {
  await withFiles(1, async ({ folder, http, env }) => {
    const session = {
      url: "http://127.0.0.1:1",
      key: "k",
      email: "ann@example.com",
      access_token: tokenOf("ann"),
      refresh_token: "r",
      expires_at: Date.now() / 1000 + 3600,
    };
    await writeFile(join(folder, "session.json"), JSON.stringify(session));
    const { SEDIMENT_TOKEN: _, ...elsewhere } = env;
    const pushed = await sediment(folder, push, elsewhere);
    assert.equal(pushed.code, 3);
    assert.match(pushed.err, /nobody is signed in/);
    const listed = await sediment(folder, ["ls", "--dataset", datasetId], elsewhere);
    assert.match(listed.err, /not_signed_in/);
    assert.deepEqual(http.service.requests, []);
  });
});

Deno.test("what the quota drops and what can't be read is said without --verbose", async () => {
  await withFiles(3, async ({ folder, env }) => {
    const full = {
      ...env,
      SEDIMENT_PENDING_QUOTA_ITEMS: "1",
      SEDIMENT_PENDING_WHEN_FULL: "drop_oldest",
    };
    const { err } = await sediment(folder, [...push, "--no-send", "--concurrency", "1"], full);
    assert.equal(err.match(/dropped .* to make room/g)?.length, 2, err);
    const [{ id }] = jsonLines((await sediment(folder, ["pending", "--json"], env)).out);
    const [{ path }] = await allFolders(join(folder, "data"));
    await writeFile(join(path, `${id}.json`), '{"v":9}');
    const pending = await sediment(folder, ["pending"], env);
    assert.match(pending.err, new RegExp(`${id.slice(0, 8)}.*newer version`));
  });
});

Deno.test("with --json standard output is JSON lines only, and errors of usage are JSON too", async () => {
  await withFiles(2, async ({ folder, http, env }) => {
    await put(folder, "empty/0/f.parquet", "");
    http.service.fault = (request) =>
      request.identity.includes("t1") ? { answer: 422, code: "not_parquet" } : undefined;
    const { out, code } = await sediment(folder, [...push, "--json"], env);
    const lines = jsonLines(out);
    assert.deepEqual(lines.map(({ status }) => status).sort(), [
      "dead",
      "failed",
      "stored",
      undefined,
    ]);
    assert.equal(code, 1);
    const wrong = await sediment(folder, ["push", "in", "--json"], env);
    assert.deepEqual([wrong.out, wrong.code], ["", 2]);
    assert.equal(JSON.parse(wrong.err).error.code, "usage");
  });
});

Deno.test("a pipe among the files is passed by, not waited for; an empty folder is said to be empty", async () => {
  await withFiles(1, async ({ folder, env }) => {
    const { success } = await new Deno.Command("mkfifo", { args: [join(folder, "in/p.parquet")] })
      .output();
    assert.ok(success);
    const { files, passedOver } = await findFiles([join(folder, "in")], {});
    assert.equal(files.length, 1);
    assert.match(passedOver[0].why, /no file/);
    await mkdir(join(folder, "empty"));
    const empty = await sediment(folder, ["push", "empty", "--dataset", datasetId], env);
    assert.equal(empty.code, 0);
    assert.match(empty.err, /no \.parquet or \.avro file under empty/);
  });
});

Deno.test("a name that is no UTF-8 is said to be one", async () => {
  await withFolder(async (folder) => {
    const made = await shell(folder, `printf x > $'in\\xff.parquet'`);
    if (made.code !== 0) return console.log("skipped: the file system takes UTF-8 names only");
    const { passedOver } = await findFiles([folder], {});
    assert.match(passedOver[0].why, /UTF-8/);
  });
});

Deno.test("the task runs where its user stands, not where the checkout is", async () => {
  await withFiles(1, async ({ folder, env }) => {
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--config", config, "sediment", ...push, "--no-send"],
      cwd: folder,
      // A task or an npx around this test has said already where its own user stands.
      clearEnv: true,
      env: { ...withoutInitCwd(), ...env, ...cliEnv(folder) },
    }).output();
    assert.equal(code, 3, new TextDecoder().decode(stderr));
    assert.match((await sediment(folder, ["pending"], env)).err, /1 pending/);
  });
});

function withoutInitCwd(): Record<string, string> {
  const { INIT_CWD: _, ...rest } = Deno.env.toObject();
  return rest;
}

Deno.test("the pending folder is no source, and each file of no use is named and counted", async () => {
  await withFiles(3, async ({ folder, http, env }) => {
    await http.stop();
    const all = [...push, "--pending", "in/waiting"];
    const first = await sediment(folder, all, env);
    for (let i = 0; i < 30; i++) await put(folder, `${i}.csv`, "");
    const second = await sediment(folder, all, env);
    assert.ok(!/waiting/.test(first.out + second.out), second.out);
    assert.equal(second.out.match(/passed over .*csv/g)?.length, 30);
    assert.match(second.err, /33 files: stored 0 · pending 3 · passed over 30/);
  });
});

Deno.test("a retry that is told to end gives its item back, unspent", async () => {
  await withFiles(1, async ({ folder, http, env }) => {
    await sediment(folder, [...push, "--no-send"], env);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      const before = http.service.requests.length;
      http.service.fault = () => "hang";
      const child = new Deno.Command(Deno.execPath(), {
        args: cliArgs(["retry"]),
        cwd: folder,
        env: { ...env, ...cliEnv(folder) },
        stdout: "null",
        stderr: "null",
      }).spawn();
      await eventually("another request", () => http.service.requests.length !== before);
      child.kill(signal);
      assert.equal((await child.status).code, 3, signal);
      const [item] = jsonLines((await sediment(folder, ["pending", "--json"], env)).out);
      assert.deepEqual([item.state, item.attempt_count], ["waiting", 0], signal);
    }
  });
});
