import { ChunkTable } from "../../shared/parquet/inspect/chunk_table.ts";
import { strict as assert } from "node:assert";
import { SedimentError } from "../../shared/errors.ts";
import { createMemoryStore, type MemoryStoreOptions } from "../support/memory_store.ts";
import { sha256 } from "../../shared/uploads/digests.ts";
import type { UploadPorts } from "../../shared/uploads/ports.ts";
import { receiveUpload, uploadAtOnce } from "../../shared/uploads/receive_upload.ts";
import {
  packedStageSchema,
  packStage,
  stageUpload,
  unpackStage,
} from "../../shared/uploads/stage_upload.ts";
import { type UploadRequest, uploadRequestOf } from "../../shared/uploads/upload_request.ts";
import { createFakeCatalog, type FakeCatalogOptions } from "../support/fake_catalog.ts";

const user = "00000000-0000-4000-8000-000000000001";
const dataset = "00000000-0000-4000-8000-0000000000d1";
const utf8 = (text: string) => new TextEncoder().encode(text);

/** "Parquet" of these tests: `P` and then one row a character. */
function inspect(bytes: Uint8Array) {
  const text = new TextDecoder().decode(bytes);
  if (!text.startsWith("P")) throw new SedimentError("not_parquet", "it does not begin with P");
  return {
    rowCount: text.length - 1,
    rowGroupCount: 1,
    uncompressedBytes: text.length,
    schemaFingerprint: "p",
    schema: { name: "" },
    stats: {},
    footerLength: 0,
    chunks: new ChunkTable(),
  };
}

function world(options: { catalog?: FakeCatalogOptions; store?: MemoryStoreOptions } = {}) {
  const catalog = createFakeCatalog(options.catalog);
  const store = createMemoryStore(options.store);
  const ports = { catalog, store, inspect } as unknown as UploadPorts;
  return { catalog, store, ports };
}

type Offsets = { table_name: string; start_byte: number; byte_length: number; num_rows?: number }[];

function requestOf(body: Uint8Array, offsets?: Offsets): UploadRequest {
  return uploadRequestOf({
    dataset_id: dataset,
    table: "battles",
    period_tag: "2024-11-25",
    file_size: body.length,
    content_hash: sha256(body),
    table_offsets: offsets?.map((offset) => ({ format: "parquet" as const, ...offset })),
  });
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(() => "taken", (error) => error.code);
}

Deno.test("an upload is one put and two catalog calls", async () => {
  const puts: string[] = [];
  const { catalog, ports } = world({ store: { before: ({ method }) => void puts.push(method) } });
  const body = utf8("Pabc");
  const answer = await uploadAtOnce(ports, user, requestOf(body), body, { ttlSeconds: 120 });
  assert.deepEqual(puts, ["put"]);
  assert.deepEqual(catalog.state.calls.map(({ method }) => method), [
    "stageUpload",
    "commitUpload",
  ]);
  assert.equal(answer.duplicate, false);
  assert.equal(catalog.state.files[0].row_count, 3);
});

Deno.test("a body that is not what was announced is refused before anything is planned", async () => {
  const good = utf8("Pabc");
  const cases: [string, Uint8Array][] = [
    ["empty_file", new Uint8Array(0)],
    ["size_mismatch", utf8("Pabcd")],
    ["hash_mismatch", utf8("Pabd")],
  ];
  for (const [code, body] of cases) {
    const { catalog, ports } = world();
    const upload = uploadAtOnce(ports, user, requestOf(good), body, { ttlSeconds: 120 });
    assert.equal(await codeOf(upload), code);
    assert.equal(catalog.state.calls.length, 0, code);
  }
});

Deno.test("a bad file sent at once leaves a key that was given up, and no dataset", async () => {
  const good = utf8("Pabc");
  const cases: [string, Uint8Array, UploadRequest][] = [
    ["not_parquet", utf8("Qabc"), requestOf(utf8("Qabc"))],
    [
      "row_count_mismatch",
      good,
      requestOf(good, [{ table_name: "t", start_byte: 0, byte_length: 4, num_rows: 4 }]),
    ],
  ];
  for (const [code, body, request] of cases) {
    const { catalog, store, ports } = world();
    assert.equal(await codeOf(uploadAtOnce(ports, user, request, body, { ttlSeconds: 120 })), code);
    assert.deepEqual([...catalog.state.stages.values()].map(({ state }) => state), ["deleting"]);
    assert.equal(catalog.state.owners.size, 0, code);
    assert.equal(store.objects.size, 0, code);
  }
});

Deno.test("a limit is asked for before a byte is looked at", async () => {
  const { ports } = world({
    catalog: {
      before: () => {
        throw new SedimentError("rate_limited", "over 1 upload a minute");
      },
    },
  });
  let looks = 0;
  const watched = { ...ports, inspect: (bytes: Uint8Array) => (looks++, inspect(bytes)) };
  const body = utf8("Pabc");
  const upload = uploadAtOnce(watched as unknown as UploadPorts, user, requestOf(body), body, {
    ttlSeconds: 120,
  });
  assert.equal(await codeOf(upload), "rate_limited");
  assert.equal(looks, 0);
});

/** A catalog that refuses commits, or a store that fails. */
function failing(at: "commitUpload" | "put", error: SedimentError) {
  const before = ({ method }: { method: string }) => {
    if (method === at) throw error;
  };
  return at === "put" ? world({ store: { before } }) : world({ catalog: { before } });
}

const longWait = new SedimentError("rate_limited", "later", { retryAfterSeconds: 90 });
const shortWait = new SedimentError("rate_limited", "soon", { retryAfterSeconds: 5 });

Deno.test("what was sent at once and came to nothing leaves no open stage, whatever of", async () => {
  for (
    const [at, error] of [
      ["commitUpload", new SedimentError("quota_exceeded", "full")],
      ["commitUpload", shortWait],
      ["put", new SedimentError("store_failed", "no answer")],
    ] as const
  ) {
    const { catalog, ports } = failing(at, error);
    const body = utf8("Pabc");
    const upload = uploadAtOnce(ports, user, requestOf(body), body, { ttlSeconds: 120 });
    assert.equal(await codeOf(upload), error.code);
    const states = [...catalog.state.stages.values()].map(({ state }) => state);
    assert.deepEqual(states, ["deleting"], error.message);
  }
});

Deno.test("who is told to wait for others has planned nothing", async () => {
  const { catalog, ports } = world();
  const shares = { begin: () => Promise.reject(shortWait), hasOthers: () => true };
  const body = utf8("Pabc");
  const upload = uploadAtOnce({ ...ports, shares }, user, requestOf(body), body, {
    ttlSeconds: 120,
  });
  assert.equal(await codeOf(upload), "rate_limited");
  assert.deepEqual(catalog.state.calls, []);
});

Deno.test("an uploadUrl stays good while waiting helps, and its stage ends where that takes longer", async () => {
  const body = utf8("Pabc");
  for (
    const [at, error, state] of [
      ["commitUpload", shortWait, "staged"],
      ["put", new SedimentError("store_failed", "no answer"), "staged"],
      ["commitUpload", longWait, "deleting"],
      ["commitUpload", new SedimentError("quota_exceeded", "full"), "deleting"],
    ] as const
  ) {
    const { catalog, ports } = failing(at, error);
    const { staged } = await stageUpload(ports, user, requestOf(body), { ttlSeconds: 120 });
    assert.equal(await codeOf(receiveUpload(ports, staged, body)), error.code);
    assert.equal(catalog.state.stages.get(staged.stageId)?.state, state, error.message);
  }
});

Deno.test("bytes that were acknowledged are not looked at again", async () => {
  const { ports } = world();
  const body = utf8("Pabc");
  const first = await uploadAtOnce(ports, user, requestOf(body), body, { ttlSeconds: 120 });
  const blind = { ...ports, inspect: () => assert.fail("looked at") };
  const again = await uploadAtOnce(blind as unknown as UploadPorts, user, requestOf(body), body, {
    ttlSeconds: 120,
  });
  assert.deepEqual(again, { ...first, duplicate: true });
});

Deno.test("in two requests a damaged body can be sent again, one that can never do gives up its key", async () => {
  const { catalog, store, ports } = world();
  const body = utf8("Pabc");
  const { staged } = await stageUpload(ports, user, requestOf(body), { ttlSeconds: 120 });
  assert.equal(await codeOf(receiveUpload(ports, staged, utf8("Pab?"))), "hash_mismatch");
  assert.equal((await receiveUpload(ports, staged, body)).duplicate, false);

  const bad = utf8("Qabc");
  const { staged: never } = await stageUpload(ports, user, requestOf(bad), { ttlSeconds: 120 });
  assert.equal(await codeOf(receiveUpload(ports, never, bad)), "not_parquet");
  assert.equal(catalog.state.stages.get(never.stageId)?.state, "deleting");
  assert.equal(store.objects.size, 1);
  assert.equal(catalog.state.files.length, 1);
});

Deno.test("a token used again with the same bytes gives the first answer, with others 422", async () => {
  const { store, ports } = world();
  const body = utf8("Pabc");
  const { staged } = await stageUpload(ports, user, requestOf(body), { ttlSeconds: 120 });
  const first = await receiveUpload(ports, staged, body);
  const second = await receiveUpload(ports, staged, body);
  assert.deepEqual(second, { ...first, duplicate: true });
  assert.equal(await codeOf(receiveUpload(ports, staged, utf8("Pxyz"))), "hash_mismatch");
  assert.equal(store.objects.size, 1);
});

Deno.test("a duplicate is known at step 1 and its bytes are not stored again", async () => {
  const { store, ports } = world();
  const body = utf8("Pabc");
  const first = await uploadAtOnce(ports, user, requestOf(body), body, { ttlSeconds: 120 });
  const { staged, firstAnswer } = await stageUpload(ports, user, requestOf(body), {
    ttlSeconds: 120,
  });
  assert.deepEqual(firstAnswer, { ...first, duplicate: true });
  assert.deepEqual(await receiveUpload(ports, staged, body), { ...first, duplicate: true });
  assert.equal(store.objects.size, 1);
  assert.equal(await codeOf(receiveUpload(ports, staged, utf8("Pab?"))), "hash_mismatch");
});

Deno.test("the same body with other offsets is upload_conflict", async () => {
  const { ports } = world();
  const body = utf8("PabPc");
  const cut = (at: number) =>
    requestOf(body, [
      { table_name: "x", start_byte: 0, byte_length: at },
      { table_name: "y", start_byte: 3, byte_length: 2 },
    ]);
  await uploadAtOnce(ports, user, cut(3), body, { ttlSeconds: 120 });
  assert.equal(
    await codeOf(uploadAtOnce(ports, user, cut(2), body, { ttlSeconds: 120 })),
    "upload_conflict",
  );
});

Deno.test("a commit whose answer was lost is answered when the bytes are sent again", async () => {
  let lose = true;
  const { catalog, store, ports } = world({
    catalog: {
      after: ({ method }) => {
        if (method !== "commitUpload" || !lose) return;
        lose = false;
        throw new SedimentError("catalog_failed", "connection reset");
      },
    },
  });
  const body = utf8("Pabc");
  const { staged } = await stageUpload(ports, user, requestOf(body), { ttlSeconds: 120 });
  assert.equal(await codeOf(receiveUpload(ports, staged, body)), "catalog_failed");
  assert.equal((await receiveUpload(ports, staged, body)).duplicate, true);
  assert.equal(catalog.state.files.length, 1);
  assert.equal(store.objects.size, 1);
});

Deno.test("a put whose answer was lost is finished when the bytes are sent again", async () => {
  let lose = true;
  const { catalog, ports } = world({
    store: {
      after: ({ method }) => {
        if (method !== "put" || !lose) return;
        lose = false;
        throw new SedimentError("store_failed", "connection reset");
      },
    },
  });
  const body = utf8("Pabc");
  const { staged } = await stageUpload(ports, user, requestOf(body), { ttlSeconds: 120 });
  assert.equal(await codeOf(receiveUpload(ports, staged, body)), "store_failed");
  assert.equal(catalog.state.files.length, 0);
  assert.equal((await receiveUpload(ports, staged, body)).duplicate, false);
});

Deno.test("a concatenated body is one object and a data file for each slice", async () => {
  const { catalog, store, ports } = world();
  const body = utf8("PabPcccgapP1");
  const answer = await uploadAtOnce(
    ports,
    user,
    requestOf(body, [
      { table_name: "x", start_byte: 0, byte_length: 3, num_rows: 2 },
      { table_name: "y", start_byte: 3, byte_length: 4 },
      { table_name: "x", start_byte: 10, byte_length: 2 },
    ]),
    body,
    { ttlSeconds: 120 },
  );
  assert.equal(store.objects.size, 1);
  assert.match([...store.objects.keys()][0], /\.bin$/);
  assert.deepEqual(
    catalog.state.files.map((
      file,
    ) => [file.table, file.start_byte, file.byte_length, file.row_count]),
    [["x", 0, 3, 2], ["y", 3, 4, 3], ["x", 10, 2, 1]],
  );
  assert.deepEqual(answer.runs.map(({ table }: { table: string }) => table), ["x", "y", "x"]);
});

Deno.test("a bad slice refuses the whole body and says which it is", async () => {
  const { store, ports } = world();
  const body = utf8("PabQcc");
  const offsets = [
    { table_name: "x", start_byte: 0, byte_length: 3 },
    { table_name: "y", start_byte: 3, byte_length: 3 },
  ];
  await assert.rejects(
    uploadAtOnce(ports, user, requestOf(body, offsets), body, { ttlSeconds: 120 }),
    {
      code: "not_parquet",
      field: "table_offsets[1]",
    },
  );
  assert.equal(store.objects.size, 0);
});

Deno.test("Avro slices are converted, and the object holds Parquet only", async () => {
  const { catalog, store, ports } = world();
  ports.convertAvro = (bytes) => {
    const text = new TextDecoder().decode(bytes);
    if (!text.startsWith("O")) throw new SedimentError("not_avro", "no magic");
    return Promise.resolve(utf8("P" + text.slice(1).repeat(2)));
  };
  const body = utf8("PabOcPd");
  const request = requestOf(body, [
    { table_name: "x", start_byte: 0, byte_length: 3 },
    { table_name: "y", start_byte: 3, byte_length: 2 },
    { table_name: "z", start_byte: 5, byte_length: 2 },
  ]);
  request.slices[1].format = "avro";
  await uploadAtOnce(ports, user, request, body, { ttlSeconds: 120 });
  const [object] = store.objects.values();
  assert.equal(new TextDecoder().decode(object.bytes), "PabPccPd");
  assert.deepEqual(
    catalog.state.files.map((file) => [file.start_byte, file.byte_length, file.row_count]),
    [[0, 3, 2], [3, 3, 2], [6, 2, 1]],
  );
});

Deno.test("a staged upload survives packing into a token", async () => {
  const { ports } = world();
  const body = utf8("PabPcccgapP1");
  const many = requestOf(body, [
    { table_name: "x", start_byte: 7, byte_length: 3, num_rows: 0 },
    { table_name: "y", start_byte: 3, byte_length: 4 },
  ]);
  many.slices[1].format = "avro";
  for (const request of [requestOf(body), many]) {
    const { staged } = await stageUpload(ports, user, request, { ttlSeconds: 120 });
    const packed = packedStageSchema.parse(JSON.parse(JSON.stringify(packStage(staged))));
    assert.deepEqual(unpackStage(packed), staged);
  }
});

Deno.test("another user's dataset is refused before anything is put", async () => {
  const { store, ports } = world();
  const body = utf8("Pabc");
  await uploadAtOnce(ports, user, requestOf(body), body, { ttlSeconds: 120 });
  const other = "00000000-0000-4000-8000-000000000002";
  const more = utf8("Pdef");
  assert.equal(
    await codeOf(uploadAtOnce(ports, other, requestOf(more), more, { ttlSeconds: 120 })),
    "dataset_forbidden",
  );
  assert.equal(store.objects.size, 1);
});
