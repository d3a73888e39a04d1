/** The account of a push adds up to its inputs, however it ends. */
import { strict as assert } from "node:assert";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ends } from "../../shared/uploader/cli/push/account.ts";
import { readSource } from "../../shared/uploader/cli/push/read_file.ts";
import { diskMedium } from "../../shared/uploader/pending/media/disk_medium.ts";
import { tokenSession } from "../../shared/uploader/session/session.ts";
import { createUploader } from "../../shared/uploader/uploader.ts";
import { cliArgs, cliEnv, sediment } from "./support/cli.ts";
import { startHttpService } from "./support/http_service.ts";
import { bytesOf, datasetId, withFolder } from "./support/setup.ts";

type Http = Awaited<ReturnType<typeof startHttpService>>;
type Line = Record<string, unknown> & { path: string; status: string };

async function withService(
  test: (parts: {
    folder: string;
    http: Http;
    env: Record<string, string>;
    put(path: string, bytes: Uint8Array | string): Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const http = await startHttpService();
  await withFolder(async (folder) => {
    try {
      const env = { SEDIMENT_TOKEN: "t", SEDIMENT_URL: http.service.origin, SEDIMENT_KEY: "k" };
      const put = async (path: string, bytes: Uint8Array | string) => {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), bytes);
      };
      await test({ folder, http, env, put });
    } finally {
      await http.stop();
    }
  });
}

/** The lines and the summary of a push with --json, once they add up. */
function accountOf(
  out: string,
  inputs: number,
): { lines: Line[]; summary: Record<string, number> } {
  const all = out.trim().split("\n").map((line) => JSON.parse(line));
  const { summary } = all.pop();
  const lines = all as Line[];
  assert.equal(summary.input, inputs);
  assert.equal(lines.length, inputs, "a line for each input");
  assert.equal(new Set(lines.map(({ path }) => path)).size, inputs, "each path once");
  for (const end of ends) {
    assert.equal(lines.filter(({ status }) => status === end).length, summary[end], end);
  }
  assert.equal(ends.reduce((sum, end) => sum + summary[end], 0), inputs);
  return { lines, summary };
}

const push = ["push", "in", "--dataset", datasetId, "--json"];

Deno.test("Ctrl-C in a push of 500 files: each is stored, pending or named as not begun", async () => {
  await withService(async ({ folder, http, env, put }) => {
    const files = 500;
    for (let i = 0; i < files; i++) await put(`in/t/0/${i}.parquet`, bytesOf(i, 200));
    const child = new Deno.Command(Deno.execPath(), {
      args: cliArgs(push),
      cwd: folder,
      env: { ...env, ...cliEnv(folder) },
      stdout: "piped",
      stderr: "null",
    }).spawn();
    let told = false;
    http.service.fault = () => {
      if (http.service.stored.size >= 60 && !told) {
        told = true;
        child.kill("SIGINT");
      }
      // What is under way at the signal must not be answered before it arrives.
      return told ? "hang" : undefined;
    };
    const { code, stdout } = await child.output();
    assert.equal(code, 130);
    const { summary, lines } = accountOf(new TextDecoder().decode(stdout), files);
    assert.equal(summary.stored, http.service.stored.size);
    assert.ok(summary.pending > 0 && summary.pending <= 4, JSON.stringify(summary));
    assert.equal(summary.failed + summary.dead + summary.passed_over, 0);
    assert.ok(summary.not_begun > 400);
    assert.equal(summary.ended_by as unknown, "SIGINT");
    const kept = (await sediment(folder, ["pending", "--json"], env)).out.trim().split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      kept.map(({ id }) => id).sort(),
      lines.filter(({ status }) => status === "pending").map(({ id }) => id).sort(),
    );
    http.service.fault = undefined;
    const again = await sediment(folder, push, env);
    const { summary: rest } = accountOf(again.out, files);
    assert.deepEqual([again.code, rest.stored + rest.was_there], [0, files]);
    assert.equal(http.service.stored.size, files);
  });
});

Deno.test("three equal files are three lines: one stored, and it was there for two", async () => {
  await withService(async ({ folder, http, env, put }) => {
    for (const name of ["a", "b", "c"]) await put(`in/t/0/${name}.parquet`, bytesOf(1));
    const first = await sediment(folder, push, env);
    const { summary } = accountOf(first.out, 3);
    assert.deepEqual([first.code, summary.stored, summary.was_there], [0, 1, 2]);
    const second = accountOf((await sediment(folder, push, env)).out, 3);
    assert.equal(second.summary.was_there, 3);

    await http.stop();
    for (const name of ["d", "e"]) await put(`in/t/0/${name}.parquet`, bytesOf(2));
    const away = await sediment(folder, push, env);
    assert.deepEqual([away.code, accountOf(away.out, 5).summary.pending], [3, 5]);
  });
});

Deno.test("every way in which an input can end is in the account at once", async () => {
  await withService(async ({ folder, http, env, put }) => {
    http.service.fault = (request) =>
      request.identity.includes("refused")
        ? { answer: 422, code: "not_parquet" }
        : request.identity.includes("later")
        ? { answer: 503, code: "store_failed" }
        : undefined;
    await put("in/there/0/a.parquet", bytesOf(1));
    assert.equal((await sediment(folder, push, env)).code, 0);
    await put("in/new/0/a.parquet", bytesOf(2));
    await put("in/refused/0/a.parquet", bytesOf(3));
    await put("in/later/0/a.parquet", bytesOf(4));
    await put("in/empty/0/a.parquet", "");
    await put("in/readme.md", "hello");
    const { code, out } = await sediment(folder, push, env);
    assert.equal(code, 1);
    const { lines } = accountOf(out, 6);
    const status = new Map(lines.map((line) => [line.path, line.status]));
    assert.deepEqual(Object.fromEntries(status), {
      "in/there/0/a.parquet": "was_there",
      "in/new/0/a.parquet": "stored",
      "in/refused/0/a.parquet": "dead",
      "in/later/0/a.parquet": "pending",
      "in/empty/0/a.parquet": "failed",
      "in/readme.md": "passed_over",
    });
    for (const line of lines) {
      if (line.status === "stored" || line.status === "was_there") assert.ok(line.key);
      else assert.ok(line.code && line.message, JSON.stringify(line));
    }
  });
});

Deno.test("a file that can't be read is the file's fault, not the pending folder's", async () => {
  await withFolder(async (folder) => {
    const uploader = await createUploader({
      url: "http://sediment.test",
      session: tokenSession(() => null),
      medium: await diskMedium(join(folder, "pending")),
    });
    const meta = { kind: "fragment" as const, dataset_id: datasetId, table: "t" };
    const file = { path: join(folder, "gone"), modifiedMs: 0, table: "t", period: "0" };
    for (const size of [1, 100 * 1024 * 1024]) {
      const upload = async () =>
        await uploader.upload(await readSource({ ...file, size, format: "parquet" }), meta);
      await assert.rejects(upload, { code: "file_unreadable" });
    }
    assert.deepEqual(await uploader.items(), []);
    await uploader.stop();
  });
});

Deno.test("--wait fails when a run fails, and ends where a run waits for more files", async () => {
  await withService(async ({ folder, http, env, put }) => {
    await put("in/t/0/a.parquet", bytesOf(1));
    const later = new Date(Date.now() + 3_600_000).toISOString();
    const cases: [Record<string, unknown>, number, RegExp][] = [
      [{ status: "success" }, 0, /compacted 1 of 1 runs/],
      [{ status: "queued", next_attempt_at: later }, 0, /0 of 1 runs · 1 wait for more files/],
      [{ status: "not_due" }, 0, /1 wait for more files/],
      [{ status: "error", error: { code: "invalid_parquet" } }, 1, /run .* failed/],
    ];
    for (const [status, code, said] of cases) {
      http.service.runStatus = () => status;
      const ran = await sediment(folder, [...push.slice(0, -1), "--wait"], env);
      assert.equal(ran.code, code, JSON.stringify(status) + ran.err);
      assert.match(ran.err, said);
    }
  });
});
