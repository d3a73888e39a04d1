import { strict as assert } from "node:assert";
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { cliArgs, cliEnv, sediment } from "./support/cli.ts";
import { startHttpService } from "./support/http_service.ts";
import { bytesOf, datasetId, withFolder } from "./support/setup.ts";

/** Bytes that end as a Parquet file does. */
function whole(seed: number): Uint8Array {
  const bytes = bytesOf(seed);
  bytes.set(new TextEncoder().encode("PAR1"), bytes.length - 4);
  return bytes;
}

async function withWatch(
  test: (parts: {
    folder: string;
    service: Awaited<ReturnType<typeof startHttpService>>["service"];
    put(name: string, bytes: Uint8Array): Promise<void>;
    arrives(count: number): Promise<void>;
    interrupt(): Promise<number>;
  }) => Promise<void>,
): Promise<void> {
  const http = await startHttpService();
  await withFolder(async (folder) => {
    const { service } = http;
    await mkdir(join(folder, "in"));
    const put = (name: string, bytes: Uint8Array) => writeFile(join(folder, "in", name), bytes);
    await put("first.parquet", whole(1));
    const child = new Deno.Command(Deno.execPath(), {
      args: cliArgs(["push", "in", "--dataset", datasetId, "--table", "t", "--watch"]),
      cwd: folder,
      env: {
        ...cliEnv(folder),
        SEDIMENT_TOKEN: "t",
        SEDIMENT_URL: service.origin,
        SEDIMENT_KEY: "k",
        SEDIMENT_RETRY_INTERVAL_SECONDS: "1",
      },
      stdout: "null",
      stderr: "null",
    }).spawn();
    let ended = false;
    void child.status.then(() => ended = true);
    try {
      await test({
        folder,
        service,
        put,
        async arrives(count) {
          await eventually(`${count} are stored`, () => service.stored.size >= count);
        },
        async interrupt() {
          child.kill("SIGINT");
          return (await child.status).code;
        },
      });
    } finally {
      await http.stop();
      if (!ended) child.kill("SIGKILL");
      await child.status;
    }
  });
}

Deno.test("push --watch sends files as they come, and Ctrl-C ends it with nothing lost", async () => {
  await withWatch(async ({ folder, service, put, arrives, interrupt }) => {
    await arrives(1);
    await put("second.parquet", whole(2));
    await arrives(2);
    service.fault = () => "hang";
    const before = service.requests.length;
    await put("third.parquet", whole(3));
    await eventually("another request", () => service.requests.length !== before);
    assert.equal(await interrupt(), 3);
    const left = (await sediment(folder, ["pending", "--json", "--everywhere"])).out.trim().split(
      "\n",
    );
    const [item] = left.map((line) => JSON.parse(line));
    assert.deepEqual([left.length, item.state, item.attempt_count], [1, "waiting", 0]);
  });
});

Deno.test("push --watch waits for the end of a Parquet file that is still being written", async () => {
  await withWatch(async ({ folder, service, put, arrives, interrupt }) => {
    const bytes = whole(7);
    await arrives(1);
    await put("slow.parquet", bytes.subarray(0, 500));
    // Two files that come after it show that it was looked at, more than once.
    for (const seed of [8, 9]) {
      await put(`t${seed}.parquet`, whole(seed));
      await arrives(seed - 6);
    }
    assert.equal(service.requests.filter(({ step }) => step === "begin").length, 3);
    await appendFile(join(folder, "in", "slow.parquet"), bytes.subarray(500));
    await arrives(4);
    assert.equal(await interrupt(), 0);
  });
});

Deno.test("what went wrong in a watch and went well later is no failure at its end", async () => {
  await withWatch(async ({ service, put, arrives, interrupt }) => {
    await arrives(1);
    let failures = 0;
    service.fault = () => failures++ < 1 ? { answer: 503 } : undefined;
    await put("second.parquet", whole(2));
    await arrives(2);
    assert.equal(await interrupt(), 0);
  });
});
