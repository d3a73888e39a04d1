/** The uploader and its command line against the embedded stack: real functions, real Storage, real auth. */
import { strict as assert } from "node:assert";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Stack, startStack } from "../../supabase/local/stack.ts";
import { diskMedium } from "../../shared/uploader/pending/media/disk_medium.ts";
import type { Fetch } from "../../shared/uploader/send/exchange.ts";
import type { PendingItem } from "../../shared/uploader/pending/pending_record.ts";
import { sendResumably } from "../../shared/uploader/send/send_tus.ts";
import { supabaseSession, tokenSession } from "../../shared/uploader/session/session.ts";
import { createUploader } from "../../shared/uploader/uploader.ts";
import { eventually } from "../support/eventually.ts";
import { signUp } from "../support/stack.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";

const cli = fileURLToPath(new URL("../../shared/uploader/cli/main.ts", import.meta.url));
const password = "a-long-password";

/** Runs `sediment …` in a folder of its own. */
function commandLine(folder: string, env: Record<string, string> = {}) {
  return async (...args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--quiet", cli, ...args],
      cwd: folder,
      env: {
        SEDIMENT_SESSION: join(folder, "session.json"),
        SEDIMENT_DATA: join(folder, "data"),
        SEDIMENT_PASSWORD: password,
        SEDIMENT_RETRY_INTERVAL_SECONDS: "1",
        NO_COLOR: "1",
        ...env,
      },
    }).output();
    const text = new TextDecoder();
    const lines = text.decode(stdout).trim().split("\n").filter(Boolean);
    return {
      code,
      lines,
      json: () => lines.map((line) => JSON.parse(line)),
      said: text.decode(stderr),
    };
  };
}

async function arrivesAfterSignIn(stack: Stack, folder: string): Promise<void> {
  const user = await signUp(stack);
  await user.client.auth.signOut({ scope: "local" });
  const uploader = await createUploader({
    url: `${stack.url}/functions/v1`,
    publishableKey: stack.publishableKey,
    medium: await diskMedium(folder),
    session: supabaseSession(user.client.auth),
  });
  try {
    uploader.start();
    const dataset_id = crypto.randomUUID();
    for (let i = 0; i < 5; i++) {
      const meta = { kind: "fragment" as const, dataset_id, table: "battle" };
      const outcome = await uploader.upload(tinyParquet([i, i + 1]), meta);
      assert.ok(outcome.status === "pending" && outcome.reason.code === "not_signed_in");
    }
    const { email } = user;
    const { error } = await user.client.auth.signInWithPassword({ email, password: user.password });
    assert.equal(error, null);
    await eventually(
      "five uploads after the sign-in",
      async () => (await uploader.pending()).length === 0,
    );
    assert.deepEqual(await uploader.dead(), []);
    const again = await uploader.upload(tinyParquet([0, 1]), {
      kind: "fragment",
      dataset_id,
      table: "battle",
    });
    assert.ok(again.status === "stored" && again.duplicate);
  } finally {
    await uploader.stop();
  }
}

async function everyProtocol(stack: Stack, folder: string): Promise<void> {
  const user = await signUp(stack);
  for (const protocol of ["two_requests", "one_request", "direct"] as const) {
    const uploader = await createUploader({
      url: `${stack.url}/functions/v1`,
      publishableKey: stack.publishableKey,
      medium: await diskMedium(join(folder, protocol)),
      session: tokenSession(user.token),
      settings: { upload: { protocol } },
    });
    const meta = { kind: "fragment" as const, dataset_id: crypto.randomUUID(), table: protocol };
    const bytes = tinyParquet([1, 2, 3]);
    const outcome = await uploader.upload(bytes, meta);
    assert.equal(outcome.status, "stored", JSON.stringify(outcome));
    const again = await uploader.upload(bytes, meta);
    assert.ok(again.status === "stored" && again.duplicate, protocol);
    const asset = {
      kind: "asset" as const,
      key: `${protocol}/a.png`,
      relative_path: "a.png",
      file_name: "a.png",
    };
    assert.equal((await uploader.upload(bytes, asset)).status, "stored");
    const known = await uploader.upload(bytes, asset);
    assert.ok(known.status === "stored" && known.duplicate);
    const refused = await uploader.upload(new Uint8Array(100), meta);
    assert.ok(refused.status === "dead" && refused.reason.status === 422, JSON.stringify(refused));
    await uploader.stop();
  }
}

async function resumes(stack: Stack, folder: string): Promise<void> {
  const user = await signUp(stack);
  const numbers = Array.from({ length: 4_000_000 }, (_, i) => Math.imul(i, 2654435761) | 0);
  const bytes = tinyParquet(numbers);
  assert.ok(bytes.length > 12 * 1024 ** 2, "at least three chunks");
  const offsets: number[] = [];
  let broken = false;
  const fetchUntil = (chunks: number): Fetch => (url, init) => {
    if (init.method === "PATCH") {
      if (offsets.length === chunks) {
        broken = true;
        // The process dies here, as far as the folder can tell.
        return new Promise((_, reject) => {
          init.signal?.addEventListener("abort", () => reject(init.signal!.reason));
        });
      }
      offsets.push(Number(new Headers(init.headers).get("upload-offset")));
    }
    return fetch(url, init);
  };
  const open = async (fetch: Fetch) =>
    await createUploader({
      url: `${stack.url}/functions/v1`,
      publishableKey: stack.publishableKey,
      medium: await diskMedium(folder),
      session: tokenSession(user.token),
      resumable: sendResumably,
      settings: { upload: { protocol: "direct", resumable_above_bytes: 1 } },
      fetch,
    });
  const first = await open(fetchUntil(2));
  const meta = { kind: "fragment" as const, dataset_id: crypto.randomUUID(), table: "large" };
  const uploading = first.upload(new Blob([bytes]).stream(), meta);
  await eventually("two chunks", () => Promise.resolve(broken));
  const second = await open(fetchUntil(Infinity));
  const [item] = await second.pending();
  assert.equal(item.upload?.protocol, "tus");
  assert.ok(item.upload?.tus_url && item.state === "sending", JSON.stringify(item));
  await first.stop();
  assert.equal((await uploading).status, "pending");

  assert.equal((await second.retry()).stored, 1, JSON.stringify(await second.pending()));
  await second.stop();
  const chunk = 6 * 1024 ** 2;
  assert.deepEqual(offsets, [0, chunk, 2 * chunk].slice(0, Math.ceil(bytes.length / chunk)));
}

async function signsIn(stack: Stack, folder: string): Promise<void> {
  await mkdir(folder);
  const { url, publishableKey: key } = stack;
  const email = `${crypto.randomUUID()}@example.com`;
  const account = ["--url", url, "--key", key, "--email", email];
  const sediment = commandLine(folder);
  assert.match((await sediment("login", ...account)).said, /the e-mail or the password is wrong/);
  assert.equal((await sediment("login", ...account, "--signup")).code, 0);
  assert.match((await sediment("login", ...account, "--signup")).said, /a user with this e-mail/);
  const wrongKey = account.map((word) => word === key ? "sb_publishable_nobodys" : word);
  const refused = await sediment("login", ...wrongKey);
  assert.deepEqual([refused.code, /does not know the key/.test(refused.said)], [2, true]);

  const session = JSON.parse(await readFile(join(folder, "session.json"), "utf8"));
  assert.equal((await sediment("logout")).code, 0);
  const again = await fetch(`${url}/auth/v1/token?grant_type=refresh_token`, {
    method: "POST",
    headers: { apikey: key, "content-type": "application/json" },
    body: JSON.stringify({ refresh_token: session.refresh_token }),
  });
  await again.body?.cancel();
  assert.equal(again.ok, false, "a session that was ended is refreshed no more");

  const user = await signUp(stack);
  const service = commandLine(folder, {
    SEDIMENT_URL: url,
    SEDIMENT_SERVICE_KEY: stack.secretKey,
  });
  await writeFile(join(folder, "a.parquet"), tinyParquet([1, 2, 3]));
  const of = ["--dataset", crypto.randomUUID(), "--table", "t", "--for", user.id];
  const pushed = await service("push", "a.parquet", ...of);
  assert.equal(pushed.code, 0, pushed.said);
  const mine = commandLine(folder, {
    SEDIMENT_URL: url,
    SEDIMENT_KEY: key,
    SEDIMENT_TOKEN: user.token,
  });
  assert.equal((await mine("ls", ...of.slice(0, 2), "--json")).json()[0].row_count, 3);
}

Deno.test({
  name:
    "against the embedded stack: every protocol, a resumed upload, a sign-in, and the walk-through",
  // The stack's drivers and the CLI's children end with it.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "sediment-stack-"));
    const stateDir = join(folder, "state");
    let stack: Stack | null = await startStack({ stateDir, tickSeconds: 0.5 });
    try {
      await t.step(
        "each protocol stores, knows a duplicate, and names what it refuses",
        () => everyProtocol(stack!, join(folder, "protocols")),
      );
      await t.step(
        "a large upload goes on where it broke off, in another process",
        () => resumes(stack!, join(folder, "large")),
      );
      await t.step(
        "a sign-in says what is wrong, a logout ends the session, a service acts for a user",
        () => signsIn(stack!, join(folder, "accounts")),
      );
      await t.step(
        "what waited for a supabase-js session arrives after the sign-in",
        () => arrivesAfterSignIn(stack!, join(folder, "session")),
      );

      await t.step(
        "fifty files pushed without a server arrive once, and are compacted",
        async () => {
          const { url, port, publishableKey: key } = stack!;
          const home = join(folder, "home");
          const exports = join(home, "exports", "battle", "2024-11-25");
          await mkdir(exports, { recursive: true });
          for (let i = 0; i < 50; i++) {
            await writeFile(join(exports, `part-${i}.parquet`), tinyParquet([i, i * 2, i * 3]));
          }
          const dataset = crypto.randomUUID();
          const sediment = commandLine(home);
          const account = [
            "--url",
            url,
            "--key",
            key,
            "--email",
            `${crypto.randomUUID()}@example.com`,
          ];
          assert.equal((await sediment("login", ...account, "--signup")).code, 0);

          await stack!.stop();
          stack = null;
          const pushed = await sediment("push", "exports", "--dataset", dataset);
          assert.equal(pushed.code, 3, pushed.said);
          assert.match(pushed.said, /50 pending \(the server can't be reached\)/);
          const waiting = (await sediment("pending", "--json")).json() as PendingItem[];
          assert.equal(waiting.length, 50);
          assert.ok(waiting.every((item) => item.attempt_count === 0));
          const twice = await sediment("push", "exports", "--dataset", dataset, "--json");
          assert.equal(twice.json().at(-1).summary.pending, 50);

          await sediment("logout");
          stack = await startStack({ stateDir, port, tickSeconds: 0.5 });
          const signedOut = await sediment("retry", "--url", url, "--key", key);
          assert.equal(signedOut.code, 3);
          assert.match(signedOut.said, /nobody is signed in: sediment login/);

          assert.equal((await sediment("login", ...account)).code, 0);
          const sent = await sediment("retry", "--json");
          assert.equal(sent.code, 0, sent.said + sent.lines);
          assert.equal(sent.json()[0].stored, 50);
          assert.deepEqual((await sediment("pending", "--json")).lines, []);

          const rows = async () => {
            const files = (await sediment("ls", "--dataset", dataset, "--json")).json();
            return {
              files: files.length,
              rows: files.reduce((sum: number, file) => sum + file.row_count, 0),
              level: Math.max(...files.map((file) => file.level)),
            };
          };
          assert.equal((await rows()).rows, 150);
          const again = await sediment("push", "exports", "--dataset", dataset, "--wait", "--json");
          assert.equal(again.code, 0, again.said);
          assert.equal(again.json().at(-1).summary.was_there, 50);
          const after = await eventually("compaction", async () => {
            const now = await rows();
            return now.level > 0 && now.files < 50 && now;
          });
          assert.equal(after.rows, 150);

          const run = again.json().find((line) => line.run).run;
          const status = await sediment("status", run, "--wait", "--json");
          assert.equal(status.json()[0].status, "success");
          const [script] = (await sediment("pull", "--dataset", dataset, "--duckdb")).lines;
          const sql = await readFile(join(home, script), "utf8");
          assert.match(
            sql,
            /create or replace view "battle" as\nselect \* from read_parquet\(\[\n +'http/,
          );
          const pulled = await sediment("pull", "--dataset", dataset, "--out", "data");
          assert.equal(pulled.lines.length, after.files);
        },
      );
    } finally {
      await stack?.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
});
