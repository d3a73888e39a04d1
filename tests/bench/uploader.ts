/**
 * `deno task bench uploader [--json] [--items N] [--no-stack]`: the uploader's own cost, and what it moves.
 * Each part runs in a process of its own, so that memory and CPU are its own.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { checkSettings } from "../../shared/uploader/settings/check_settings.ts";
import { systemClock } from "../../shared/clock.ts";
import { diskMedium } from "../../shared/uploader/pending/media/disk_medium.ts";
import { newItem } from "../../shared/uploader/pending/pending_item.ts";
import { writeRecord } from "../../shared/uploader/pending/pending_record.ts";
import { PendingStore } from "../../shared/uploader/pending/pending_store.ts";
import { planBatch } from "../../shared/uploader/retry/plan_batch.ts";
import { credentialOf, tokenSession } from "../../shared/uploader/session/session.ts";
import { sha256 } from "../../shared/uploader/sha256.ts";
import { checkMeta, identityOf } from "../../shared/uploader/upload_meta.ts";
import { createUploader } from "../../shared/uploader/uploader.ts";

const targetUrl = "http://127.0.0.1:1/functions/v1/battle-data/upload";
const meta = checkMeta({
  kind: "fragment",
  dataset_id: "0b3f1c58-5b0f-4f0e-9d3e-6a1f0c2d4e5f",
  table: "battle",
  period_tag: "2024-11-25",
});

const parts: Record<string, (folder: string, count: number) => Promise<Record<string, number>>> = {
  prepare,
  scan,
  enqueue,
  send,
};

if (Deno.args[0] === "--part") {
  const [, part, folder, count] = Deno.args;
  const result = await parts[part](folder, Number(count));
  console.log(JSON.stringify(result));
  Deno.exit(0);
}

/** As `deno task sediment` has it: V8's young generation alone is 30 MB otherwise. */
const cliFlag = "--v8-flags=--max-semi-space-size=1";

const json = Deno.args.includes("--json");
const at = Deno.args.indexOf("--items");
const items = at >= 0 ? Number(Deno.args[at + 1]) : 10_000;
const folder = await mkdtemp(join(tmpdir(), "sediment-bench-"));
const results: Record<string, Record<string, number>> = {};
try {
  await run("prepare", join(folder, "scan"), items);
  const { peak_mb: peakOtherwise } = await run("scan", join(folder, "scan"), items);
  const scanned = await run("scan", join(folder, "scan"), items, [cliFlag]);
  results.scan = { items, ...scanned, peak_mb_without_flag: peakOtherwise };
  results.enqueue = await run("enqueue", join(folder, "enqueue"), 300);
  if (!Deno.args.includes("--no-stack")) {
    results.send = await run("send", join(folder, "send"), 300);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
for (const [part, result] of Object.entries(results)) {
  if (json) console.log(JSON.stringify({ bench: part, ...result }));
  else {
    console.log(part);
    for (const [name, value] of Object.entries(result)) {
      console.log(`  ${name.padEnd(28)} ${value}`);
    }
  }
}
if (!json) {
  console.log("\nmust reach: scan under 1 s and 100 MB at 10,000 items, enqueue under 5 ms of CPU");
}

async function run(
  part: string,
  folder: string,
  count: number,
  flags: string[] = [],
): Promise<Record<string, number>> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      ...flags,
      fileURLToPath(import.meta.url),
      "--part",
      part,
      folder,
      `${count}`,
    ],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`${part} failed`);
  return JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!);
}

/** Pairs as an app leaves them that had no network: records of 1 KB, bytes of 100. */
async function prepare(folder: string, count: number) {
  await (await diskMedium(folder)).close();
  for (let i = 0; i < count; i++) {
    const bytes = new TextEncoder().encode(`item ${i}`.padEnd(100));
    const hash = sha256(bytes);
    const id = identityOf(targetUrl, meta, hash);
    const item = newItem(id, { targetUrl, meta }, bytes.length, hash, Date.now() - i);
    Deno.writeFileSync(`${folder}/${id}.bin`, bytes);
    Deno.writeTextFileSync(`${folder}/${id}.json`, writeRecord(item));
  }
  return {};
}

async function scan(folder: string, count: number) {
  const settings = checkSettings({});
  const medium = await diskMedium(folder);
  const store = new PendingStore({ medium, clock: systemClock, settings, say: () => {} });
  const before = peakMb();
  const started = performance.now(), cpu = process.cpuUsage();
  const items = await store.list();
  const plan = planBatch(items, {
    now: Date.now(),
    origin: new URL(targetUrl).origin,
    credential: credentialOf("token"),
    force: false,
    retry: settings.retry,
  });
  const spent = process.cpuUsage(cpu);
  if (plan.due.length !== count) throw new Error(`${plan.due.length} of ${count} are due`);
  return {
    seconds: round((performance.now() - started) / 1000),
    cpu_seconds: round((spent.user + spent.system) / 1e6),
    peak_mb: peakMb(),
    peak_before_mb: before,
  };
}

async function enqueue(folder: string, count: number) {
  const settings = checkSettings({});
  const medium = await diskMedium(folder);
  const store = new PendingStore({ medium, clock: systemClock, settings, say: () => {} });
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  const save = async (i: number) => {
    new DataView(bytes.buffer).setUint32(0, i);
    await store.save(bytes, { targetUrl, meta });
  };
  for (let i = 0; i < 50; i++) await save(i); // the compiler warms up
  const walls: number[] = [];
  const cpu = process.cpuUsage();
  for (let i = 50; i < 50 + count; i++) {
    const started = performance.now();
    await save(i);
    walls.push(performance.now() - started);
  }
  const spent = process.cpuUsage(cpu);
  const again = process.cpuUsage();
  for (let i = 0; i < count; i++) await store.save(bytes, { targetUrl, meta });
  const duplicates = process.cpuUsage(again);
  walls.sort((a, b) => a - b);
  return {
    bytes: bytes.length,
    cpu_ms: round((spent.user + spent.system) / 1000 / count),
    wall_p50_ms: round(walls[count >> 1]),
    wall_p99_ms: round(walls[Math.floor(count * 0.99)]),
    duplicate_cpu_ms: round((duplicates.user + duplicates.system) / 1000 / count),
  };
}

/** Items a second against the embedded stack, beside bare requests of the same protocol and bytes. */
async function send(folder: string, count: number) {
  const { startStack } = await import("../../supabase/local/stack.ts");
  const { signUp } = await import("../support/stack.ts");
  const { tinyParquet } = await import("../support/tiny_parquet.ts");
  const stack = await startStack({ cron: false });
  try {
    const { token } = await signUp(stack);
    const bodies = Array.from(
      { length: count },
      (_, i) =>
        tinyParquet(Array.from({ length: 15_000 }, (_, n) => Math.imul(n + i * 15_000, 40503))),
    );
    const concurrency = 8;
    const url = `${stack.url}/functions/v1`;
    const uploader = await createUploader({
      url,
      publishableKey: stack.publishableKey,
      medium: await diskMedium(folder),
      session: tokenSession(token),
      settings: { upload: { concurrency }, retry: { item_interval_seconds: 0 } },
    });
    const dataset_id = crypto.randomUUID();
    for (const body of bodies) {
      await uploader.upload(body, { kind: "fragment", dataset_id, table: "battle" }, {
        sendNow: false,
      });
    }
    const started = performance.now();
    const report = await uploader.retry();
    const seconds = (performance.now() - started) / 1000;
    if (report.stored !== count) throw new Error(JSON.stringify(report));
    await uploader.stop();

    const headers = { authorization: `Bearer ${token}`, apikey: stack.publishableKey };
    const other = crypto.randomUUID();
    let next = 0;
    const bareStarted = performance.now();
    const worker = async () => {
      while (next < count) {
        const body = bodies[next++];
        const begun = await fetch(`${url}/battle-data/upload`, {
          method: "POST",
          headers: { ...headers, "content-type": "application/json" },
          body: JSON.stringify({
            dataset_id: other,
            table: "battle",
            period_tag: "0",
            file_size: body.length,
            content_hash: sha256(body),
          }),
        });
        const { uploadUrl } = await begun.json();
        const put = await fetch(uploadUrl, { method: "PUT", headers, body });
        if (!put.ok) throw new Error(await put.text());
        await put.body?.cancel();
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    const bare = (performance.now() - bareStarted) / 1000;
    return {
      items: count,
      bytes: bodies[0].length,
      concurrency,
      items_per_s: round(count / seconds),
      bare_requests_items_per_s: round(count / bare),
      ratio: round(bare / seconds),
    };
  } finally {
    await stack.stop();
  }
}

/** Most memory that this process ever held, in MB. */
function peakMb(): number {
  const status = Deno.readTextFileSync("/proc/self/status");
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)![1]) / 1000);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
