/** What is too large is refused before it is copied, by limits that the service is asked for once. */
import { strict as assert } from "node:assert";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { PendingMedium } from "../../shared/uploader/pending/pending_medium.ts";
import { sediment } from "./support/cli.ts";
import { startHttpService } from "./support/http_service.ts";
import { datasetId, fragment, withFolder, withUploader } from "./support/setup.ts";

const MiB = 1024 * 1024;

/** A medium that counts the bytes that are staged. */
function counting(staged: { bytes: number }) {
  return (medium: PendingMedium): PendingMedium => ({
    ...medium,
    async stage(source, limit) {
      const result = await medium.stage(source, limit);
      staged.bytes += result.size;
      return result;
    },
  });
}

const large = (mebibytes: number) => new Blob([new Uint8Array(mebibytes * MiB)]);
const refused = (most: number) => (error: { code: string; expected: string }) => {
  assert.equal(error.code, "body_too_large");
  assert.match(error.expected, new RegExp(`at most ${most} bytes`));
  return true;
};

Deno.test("a body over the limit is refused with the limit, before a byte of it is copied", async () => {
  await withUploader({}, async ({ service, another }) => {
    const staged = { bytes: 0 };
    const uploader = await another({}, counting(staged));
    for (let i = 0; i < 3; i++) {
      await assert.rejects(uploader.upload(large(51), fragment()), refused(50 * MiB));
    }
    const stream = () => large(20).stream();
    await assert.rejects(
      uploader.upload(stream(), fragment("t"), { size: 51 * MiB }),
      refused(50 * MiB),
    );
    assert.deepEqual([staged.bytes, service.limitsAsked, service.requests.length], [0, 1, 0]);
    assert.deepEqual(await uploader.items(), []);
  });
});

Deno.test("what can't go to the store by itself has the limit of what goes through the service", async () => {
  await withUploader({}, async ({ uploader }) => {
    const asset = { kind: "asset" as const, key: "k", relative_path: "p", file_name: "p" };
    const avro = fragment("t", { format: "avro" });
    await assert.rejects(uploader.upload(large(9), avro), refused(8 * MiB));
    for (const meta of [asset, fragment()]) {
      assert.equal((await uploader.upload(large(9), meta)).status, "stored");
    }
  });
});

Deno.test("an asset has the limit of assets beside that of its way, and a fragment has not", async () => {
  await withUploader({}, async ({ service, uploader }) => {
    const asset = { kind: "asset" as const, key: "k", relative_path: "p", file_name: "p" };
    service.limits = { ...service.limits!, max_asset_bytes: 10 * MiB };
    await assert.rejects(uploader.upload(large(11), asset), refused(10 * MiB));
    await assert.rejects(
      uploader.upload(large(51).stream(), asset),
      { message: /over \d+ bytes/, expected: /10485760 bytes, the service's limit/ },
    );
    for (const [mebibytes, meta] of [[10, asset], [11, fragment()]] as const) {
      assert.equal((await uploader.upload(large(mebibytes), meta)).status, "stored");
    }
    assert.equal(service.limitsAsked, 1);
  });
});

Deno.test("a stream of unknown size is read no further than past the limit", async () => {
  await withUploader({}, async ({ uploader }) => {
    let read = 0, ended = false;
    async function* endless() {
      try {
        for (;;) {
          read += MiB;
          yield new Uint8Array(MiB);
        }
      } finally {
        ended = true;
      }
    }
    await assert.rejects(uploader.upload(endless(), fragment()), refused(50 * MiB));
    assert.deepEqual([read, ended], [51 * MiB, true]);
    assert.deepEqual(await uploader.items(), []);
  });
});

Deno.test("without a network the limits said last hold; where none were ever said, nothing is refused", async () => {
  await withUploader({}, async ({ service, another, uploader }) => {
    service.fault = () => "refuse_connection";
    assert.equal((await uploader.upload(large(51), fragment("first"))).status, "pending");
    service.fault = undefined;
    const second = await another();
    await assert.rejects(second.upload(large(51), fragment("second")), refused(50 * MiB));
    service.fault = () => "refuse_connection";
    const third = await another();
    await assert.rejects(third.upload(large(51), fragment("third")), refused(50 * MiB));
  });
});

Deno.test("small uploads ask for no limits, and a service that has none to say takes them all", async () => {
  await withUploader({}, async ({ service, uploader }) => {
    service.limits = null;
    assert.equal((await uploader.upload(new Uint8Array(1000), fragment())).status, "stored");
    assert.equal(service.limitsAsked, 0);
    assert.equal((await uploader.upload(large(51), fragment())).status, "stored");
    assert.equal(service.limitsAsked, 1);
  });
});

Deno.test("what the pending folder could never hold is not copied either", async () => {
  await withUploader({}, async ({ another }) => {
    const staged = { bytes: 0 };
    const uploader = await another({ pending: { quota_bytes: 3 * MiB } }, counting(staged));
    await assert.rejects(uploader.upload(large(4), fragment()), { code: "pending_full" });
    assert.equal(staged.bytes, 0);
  });
});

Deno.test("a push of a file of 304 MB fails by its name and the limit, and the others go", async () => {
  const http = await startHttpService();
  await withFolder(async (folder) => {
    try {
      const file = await open(join(folder, "large.parquet"), "w");
      await file.truncate(304_000_000);
      await file.close();
      await Deno.writeFile(join(folder, "small.parquet"), new Uint8Array(100));
      const push = [
        "push",
        "large.parquet",
        "small.parquet",
        "--dataset",
        datasetId,
        "--table",
        "t",
      ];
      const env = { SEDIMENT_TOKEN: "t", SEDIMENT_URL: http.service.origin, SEDIMENT_KEY: "k" };
      const { code, out } = await sediment(folder, push, env);
      assert.equal(code, 1);
      assert.match(
        out,
        /failed +large\.parquet +body_too_large: .*304000000 bytes.*at most 52428800/,
      );
      assert.match(out, /stored +small\.parquet/);
      const kept = await readdir(join(folder, "data"), { recursive: true });
      assert.deepEqual(kept.filter((name) => /\.(bin|part)$/.test(name)), []);
    } finally {
      await http.stop();
    }
  });
});
