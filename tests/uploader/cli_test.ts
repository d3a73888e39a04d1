import { strict as assert } from "node:assert";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cliArgs, cliEnv, sediment } from "./support/cli.ts";
import { startHttpService } from "./support/http_service.ts";
import { bytesOf, datasetId, withFolder } from "./support/setup.ts";

const commands = [
  "login",
  "logout",
  "whoami",
  "push",
  "pending",
  "retry",
  "dead",
  "status",
  "ls",
  "tables",
  "schema",
  "head",
  "pull",
  "rm",
  "sql",
  "delete",
  "members",
  "keys",
  "rename",
  "console",
  "completion",
];

const escape = "\x1b";

/** In a terminal of 100 columns, by util-linux's `script`; null where that isn't there. */
async function inTerminal(
  folder: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<string | null> {
  const line = [Deno.execPath(), ...cliArgs(args)]
    .map((word) => `'${word}'`).join(" ");
  try {
    const { stdout } = await new Deno.Command("script", {
      args: ["-qec", line, "/dev/null"],
      cwd: folder,
      env: { ...cliEnv(folder), TERM: "xterm", ...env },
    }).output();
    return new TextDecoder().decode(stdout);
  } catch {
    return null;
  }
}

Deno.test("help names every command, and each command's help its options, examples and exit codes", async () => {
  await withFolder(async (folder) => {
    const overview = await sediment(folder, ["--help"]);
    assert.equal(overview.code, 0);
    for (const command of commands) assert.match(overview.out, new RegExp(`^  ${command} `, "m"));
    for (const command of ["push", "dead"]) {
      const { code, out } = await sediment(folder, [command, "--help"]);
      assert.equal(code, 0);
      assert.match(out, new RegExp(`^sediment ${command} `));
      assert.match(out, /--json/);
      assert.match(out, /examples\n {2}.*sediment/);
    }
  });
});

Deno.test("what can't be understood is exit code 2, and says what would be", async () => {
  await withFolder(async (folder) => {
    const cases: [string[], RegExp][] = [
      [[], /first steps/],
      [["pusch"], /did you mean push or pending or pull/],
      [["push"], /usage: sediment push/],
      [["push", "x", "--colour"], /Unknown option '--colour'/],
      [["push", "x"], /needs --dataset/],
      [["push", "x", "--dataset", "7"], /a UUID, not 7/],
      [["push", "nothing.parquet", "--dataset", datasetId], /nothing\.parquet: .*ENOENT/],
      [["dead", "bury"], /dead can list, show, export, requeue, drop, not bury/],
      [["dead", "show", "ffff"], /no dead item begins with ffff/],
      [["ls"], /--dataset is needed/],
      [["retry"], /--url https/],
      [["completion", "tcsh"], /bash, zsh, fish/],
      [["retry", "--url", "http://127.0.0.1:9/", "--key", "k", "--config", "no.toml"], /no\.toml/],
    ];
    const ran = await Promise.all(cases.map(([args]) => sediment(folder, args)));
    for (const [i, [args, pattern]] of cases.entries()) {
      assert.equal(ran[i].code, 2, args.join(" "));
      assert.match(ran[i].out + ran[i].err, pattern, args.join(" "));
    }
  });
});

Deno.test("a wrong setting in the TOML file is named with its line's key, and nothing is done", async () => {
  await withFolder(async (folder) => {
    await writeFile(join(folder, "sediment.toml"), "[app.asset_sync.retry]\nmax_attempts = -1\n");
    const { code, err } = await sediment(folder, ["pending"]);
    assert.equal(code, 2);
    assert.match(err, /app\.asset_sync\.retry\.max_attempts in sediment\.toml is -1/);
    const json = await sediment(folder, ["pending", "--json"]);
    assert.equal(JSON.parse(json.err).error.code, "invalid_config");
  });
});

Deno.test("push, pending, dead and retry go together, with exit codes and JSON lines for scripts", async () => {
  const http = await startHttpService({
    fault: (request) =>
      request.identity.includes("bad") ? { answer: 422, code: "not_parquet" } : undefined,
  });
  await withFolder(async (folder) => {
    try {
      const { origin } = http.service;
      const env = { SEDIMENT_TOKEN: "token-1", SEDIMENT_URL: origin, SEDIMENT_KEY: "k" };
      await mkdir(join(folder, "in", "good", "2024-11-25"), { recursive: true });
      await writeFile(join(folder, "in", "good", "2024-11-25", "a.parquet"), bytesOf(1));
      await mkdir(join(folder, "in", "table=good", "period=0"), { recursive: true });
      await writeFile(join(folder, "in", "table=good", "period=0", "b.avro"), bytesOf(2));
      await mkdir(join(folder, "in", "bad", "0"), { recursive: true });
      await writeFile(join(folder, "in", "bad", "0", "c.parquet"), bytesOf(3));
      await writeFile(join(folder, "in", "notes.txt"), "hello");

      const saved = await sediment(
        folder,
        ["push", "in", "--dataset", datasetId, "--no-send", "--json"],
        env,
      );
      assert.equal(saved.code, 1); // the notes were passed over
      assert.equal(http.service.requests.length, 0);
      const notes = saved.out.split("\n").find((line) => line.includes("notes.txt"));
      assert.match(JSON.parse(notes!).message, /neither/);

      const pending = await sediment(folder, ["pending", "--json"], env);
      assert.equal(pending.code, 3);
      const items = pending.out.trim().split("\n").map((line) => JSON.parse(line));
      const places = items.map((
        { context },
      ) => [context.table, context.period_tag, context.format]);
      assert.deepEqual(places.sort(), [
        ["bad", "0", "parquet"],
        ["good", "0", "avro"],
        ["good", "2024-11-25", "parquet"],
      ]);
      const table = await sediment(folder, ["pending"], env);
      assert.match(table.out, /good\/2024-11-25/);
      assert.ok(!table.out.includes(escape));

      const sent = await sediment(folder, ["retry", "--json"], env);
      assert.equal(sent.code, 1);
      const report = JSON.parse(sent.out);
      assert.deepEqual([report.stored, report.dead, report.left], [2, 1, 0]);

      const dead = await sediment(folder, ["dead", "--json"], env);
      assert.equal(dead.code, 1);
      const [{ id, last_error }] = dead.out.trim().split("\n").map((line) => JSON.parse(line));
      assert.equal(last_error.code, "not_parquet");
      const out = join(folder, "rescued");
      const exported = await sediment(
        folder,
        ["dead", "export", id.slice(0, 5), "--out", out],
        env,
      );
      assert.deepEqual(new Uint8Array(await readFile(exported.out.trim())), bytesOf(3));
      assert.equal((await sediment(folder, ["dead", "requeue", "--all"], env)).code, 0);
      assert.equal((await sediment(folder, ["retry"], env)).code, 1);
      assert.equal((await sediment(folder, ["dead", "drop", "--all"], env)).code, 0);
      assert.equal((await sediment(folder, ["dead"], env)).code, 0);

      const root = ["push", "in/table=good", "--dataset", datasetId];
      assert.equal((await sediment(folder, root, env)).code, 0); // the folder that is named counts
      const same = await sediment(folder, ["push", "in", "--dataset", datasetId, "--json"], env);
      assert.equal(same.code, 1); // the bad one is dead again
      const lines = same.out.trim().split("\n").map((line) => JSON.parse(line));
      assert.equal(lines.filter((line) => line.status === "was_there").length, 2);
      assert.deepEqual(lines.at(-1).summary.dead, 1);
    } finally {
      await http.stop();
    }
  });
});

Deno.test("on a terminal there is a bar and colour; piped there are plain lines; NO_COLOR is heeded", async () => {
  const http = await startHttpService();
  await withFolder(async (folder) => {
    try {
      const { origin } = http.service;
      // NO_COLOR may be set where the tests run; empty is as good as absent.
      const env = {
        SEDIMENT_TOKEN: "token-1",
        SEDIMENT_URL: origin,
        SEDIMENT_KEY: "k",
        NO_COLOR: "",
      };
      for (let i = 0; i < 8; i++) await writeFile(join(folder, `t${i}.parquet`), bytesOf(i));
      const push = ["push", ".", "--dataset", datasetId, "--table", "t"];
      const seen = await inTerminal(folder, push, env);
      if (seen === null) return console.log("skipped: there is no `script` to make a terminal");
      assert.match(seen, /█/);
      assert.match(seen, /8\/8/);
      assert.match(seen, /stored 8/);
      const piped = await sediment(folder, push, env);
      assert.ok(!/█/.test(piped.out + piped.err) && !(piped.out + piped.err).includes(escape));
      assert.equal(piped.out.trim().split("\n").length, 8);
      const json = await inTerminal(folder, [...push, "--json"], env);
      assert.ok(!json!.includes("█") && !json!.includes(escape));

      http.service.fault = () => ({ answer: 422, code: "not_parquet" });
      await writeFile(join(folder, "bad.parquet"), bytesOf(99));
      await sediment(folder, ["push", "bad.parquet", "--dataset", datasetId, "--table", "t"], env);
      assert.ok((await inTerminal(folder, ["dead"], env))!.includes(`${escape}[31mdead`));
      const plain = await inTerminal(folder, ["dead"], { ...env, NO_COLOR: "1" });
      assert.ok(plain!.includes("dead") && !plain!.includes(escape));
    } finally {
      await http.stop();
    }
  });
});

Deno.test("each completion script is one that its shell takes, and knows every command", async () => {
  await withFolder(async (folder) => {
    for (const shell of ["bash", "zsh", "fish"]) {
      const { code, out } = await sediment(folder, ["completion", shell]);
      assert.equal(code, 0);
      for (const command of commands) assert.ok(out.includes(command), `${shell}: ${command}`);
      if (shell !== "bash") continue;
      await writeFile(join(folder, "pu it.parquet"), "");
      const complete = async (...words: string[]) => {
        const asked = await new Deno.Command("bash", {
          args: [
            "-c",
            `eval "$1"; shift; COMP_WORDS=(sediment "$@"); COMP_CWORD=$#; _sediment
             printf '%s\n' "\${COMPREPLY[@]}"`,
            "bash",
            out,
            ...words,
          ],
          cwd: folder,
        }).output();
        return new TextDecoder().decode(asked.stdout).trim().split("\n");
      };
      assert.deepEqual(await complete("pu"), ["push", "pull"]);
      assert.deepEqual(await complete("push", "pu"), ["pu it.parquet"]);
      assert.deepEqual(await complete("push", "--da"), ["--dataset"]);
      assert.deepEqual(await complete("dead", "ex"), ["export"]);
      assert.deepEqual(await complete("completion", "f"), ["fish"]);
    }
  });
});

/** A server that lists these files, whatever is asked. */
async function withListing(
  files: (origin: string) => Record<string, unknown>[],
  use: (folder: string, env: Record<string, string>) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {} },
      (request): Response => {
        if (request.url.includes("/content")) return new Response("evil");
        return Response.json({ version: 1, files: files(origin) });
      },
    );
    const origin: string = `http://127.0.0.1:${server.addr.port}`;
    try {
      await use(folder, { SEDIMENT_TOKEN: "t", SEDIMENT_URL: origin, SEDIMENT_KEY: "k" });
    } finally {
      await server.shutdown();
    }
  });
}

const listed = {
  id: 1,
  table: "t",
  period_tag: "0",
  size: 4,
  level: 0,
  state: "active",
  row_count: 1,
  row_group_count: 1,
  uploaded_at: "2026-01-01T00:00:00Z",
};

Deno.test("whatever a server calls its files, pull writes nothing outside of the folder", async () => {
  for (
    const odd of [
      { table: "../.." },
      { period_tag: ".." },
      { id: "../../../escaped" },
      { id: "a/b" },
      { id: "" },
      { id: { toString: "x" } },
      { url: "file:///etc/passwd" },
    ]
  ) {
    const files = (origin: string) => [{ ...listed, url: `${origin}/content`, ...odd }];
    await withListing(files, async (folder, env) => {
      await mkdir(join(folder, "a", "b", "work"), { recursive: true });
      const args = ["pull", "--dataset", datasetId, "--out", "out"];
      const { code, err } = await sediment(join(folder, "a", "b", "work"), args, env);
      assert.deepEqual([code, /unexpected_answer/.test(err)], [1, true], JSON.stringify(odd) + err);
      assert.deepEqual(await readdir(folder), ["a"]);
      assert.deepEqual(await readdir(join(folder, "a", "b")), ["work"]);
    });
  }
});

Deno.test("what a server answers moves no cursor and sets no title", async () => {
  const escape = "\u001b]0;title\u0007\u001b[2Jx\u009b31m\u202e";
  const files = () => [{ ...listed, table: escape, state: `act${escape}ive` }];
  await withListing(files, async (folder, env) => {
    const { out } = await sediment(folder, ["ls", "--dataset", datasetId], env);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(out, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    const pulled = await sediment(folder, ["pull", "--dataset", datasetId], env);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(pulled.err, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    assert.equal(pulled.code, 1);
  });
});
