import { strict as assert } from "node:assert";
import type { ListedFile } from "../../shared/catalog/read_results.ts";
import type { Manifest } from "../../shared/protocol/answers.ts";
import { readManifest } from "../../shared/readers/manifest.ts";

const now = new Date("2026-11-30T00:00:00Z");

function file(id: number, more: Partial<ListedFile> = {}): ListedFile {
  return {
    id,
    object_key: `battle_data/d/t/0/${id}.parquet`,
    start_byte: 0,
    byte_length: 10,
    table: "t",
    period_tag: "0",
    size: 10,
    level: 0,
    state: "active",
    quarantine_code: null,
    quarantine_reason: null,
    row_count: 1,
    row_group_count: 1,
    uncompressed_bytes: 10,
    schema_fingerprint: "s",
    stats: {},
    etag: null,
    uploaded_at: "2026-11-30T00:00:00Z",
    added_version: 1,
    seq_min: id,
    seq_max: id,
    ...more,
  } as ListedFile;
}

/** The manifest of files of which the store misses some. */
async function manifest(files: ListedFile[], missing: number[], include?: "readable") {
  const asked: string[][] = [];
  const answer: Manifest = await readManifest(
    {
      listFiles: () =>
        Promise.resolve({
          dataset_id: "d",
          version: 1,
          committed_at: null,
          signed_url_seconds: 60,
          files,
          next_cursor: "more",
        }),
    },
    null,
    { dataset_id: "d", limit: 100, include } as Parameters<typeof readManifest>[2],
    {
      store: {
        signDownloads(keys) {
          asked.push(keys);
          return Promise.resolve(
            new Map(keys.map((key) => [
              key,
              missing.some((id) => key.endsWith(`/${id}.parquet`)) ? null : `https://s/${key}`,
            ])),
          );
        },
      },
      now,
      sliceUrl: ({ id }) => `https://f/${id}`,
    },
  );
  return { answer, asked };
}

Deno.test("a lost object costs the page nothing but its own address", async () => {
  const { answer, asked } = await manifest([file(1), file(2), file(3)], [2]);
  assert.deepEqual(answer.files.map(({ id, url, error }) => [id, url !== undefined, error?.code]), [
    [1, true, undefined],
    [2, false, "object_missing"],
    [3, true, undefined],
  ]);
  assert.deepEqual([answer.unreadable, answer.next_cursor], [1, "more"]);
  assert.equal(asked.length, 1, "all signatures by one request");
  assert.equal(answer.files[0].url_expires_at, "2026-11-30T00:01:00.000Z");
});

Deno.test("what is in quarantine and can be read has its address, what can't has its reason", async () => {
  const { answer } = await manifest([
    file(1, {
      state: "quarantined",
      quarantine_code: "schema_incompatible",
      quarantine_reason: "x",
    }),
    file(2, { state: "quarantined", quarantine_code: "object_changed", quarantine_reason: "rot" }),
    file(3, { state: "quarantined", quarantine_code: "worker_died", quarantine_reason: "x" }),
    file(4, { lost: true }),
  ], []);
  assert.deepEqual(answer.files.map(({ url, error }) => url ? "url" : error?.code), [
    "url",
    "object_changed",
    "url",
    "object_missing",
  ]);
  assert.equal(answer.files[1].error?.message, "rot");
  assert.equal("lost" in answer.files[3], false);
});

Deno.test("include=readable leaves out what can't be read, and counts it", async () => {
  const slice = file(5, { object_key: "battle_data/d/t/0/5.bin", start_byte: 100 });
  const { answer } = await manifest([file(1), file(2), slice], [1], "readable");
  assert.deepEqual(answer.files.map(({ url }) => url), [
    "https://s/battle_data/d/t/0/2.parquet",
    "https://f/5",
  ]);
  assert.equal(answer.unreadable, 1);
});
