import { strict as assert } from "node:assert";
import { parquetWriteBuffer } from "hyparquet-writer";
import { inspectRangesInTurns } from "../../shared/parquet/inspect/inspect.ts";
import type { ObjectStore } from "../../shared/storage/object_store.ts";
import type { CheckTurns } from "../../shared/uploads/check_turns.ts";
import { type CompletePorts, completeUpload } from "../../shared/uploads/complete_upload.ts";
import { sha256 } from "../../shared/uploads/digests.ts";
import { stageUpload } from "../../shared/uploads/stage_upload.ts";
import { uploadRequestOf } from "../../shared/uploads/upload_request.ts";
import { createFakeCatalog } from "../support/fake_catalog.ts";
import { createMemoryStore } from "../support/memory_store.ts";
import { thrownBy } from "../support/thrown_by.ts";

const user = "00000000-0000-4000-8000-000000000001";

/** Bytes that a client has put to its signed URL, and what completing them does. */
async function putDirectly(body: Uint8Array<ArrayBuffer>) {
  const catalog = createFakeCatalog();
  const reads: number[] = [];
  const memory = createMemoryStore();
  const getRange: ObjectStore["getRange"] = (key, start, length, options) => {
    reads.push(length);
    return memory.getRange(key, start, length, options);
  };
  const store: ObjectStore = { ...memory, getRange };
  let pauses = 0;
  const turns: CheckTurns = {
    take: (_user, check) =>
      check(() => {
        pauses++;
        return undefined;
      }),
  };
  const inspectRanges = inspectRangesInTurns;
  const ports = { catalog, store, inspectRanges, turns } as unknown as CompletePorts;
  const request = uploadRequestOf({
    dataset_id: crypto.randomUUID(),
    table: "t",
    period_tag: "p",
    file_size: body.length,
    content_hash: sha256(body),
  });
  const { staged, incomingKey } = await stageUpload(ports, user, request, {
    ttlSeconds: 120,
    direct: true,
  });
  await store.put(incomingKey!, body);
  const complete = () =>
    completeUpload(ports, staged, { incomingKey: incomingKey!, firstAnswer: null });
  const stage = () => catalog.state.stages.get(staged.stageId)?.state;
  return { complete, reads, stage, pauses: () => pauses };
}

Deno.test("a direct upload's footer that would take longer to parse than a check may is not even read", async () => {
  const body = new Uint8Array(14_000_000);
  new DataView(body.buffer).setUint32(body.length - 8, body.length - 12, true);
  body.set(new TextEncoder().encode("PAR1"), body.length - 4);
  const { complete, reads, stage } = await putDirectly(body);
  const { code, extra } = await thrownBy(complete());
  assert.deepEqual([code, extra?.footer_bytes], ["check_too_costly", body.length - 12]);
  const hashed = Math.ceil(body.length / (1024 * 1024));
  assert.deepEqual(reads.slice(hashed), [64 * 1024], "its end, for the footer's length");
  assert.equal(stage(), "deleting");
});

Deno.test("while a direct upload's large footer is parsed others go on", async () => {
  const data = Array.from({ length: 20_000 }, (_, n) => n);
  const columnData = [{ name: "n", data, type: "INT32" as const }];
  const file = parquetWriteBuffer({ columnData, codec: "UNCOMPRESSED", rowGroupSize: 10 });
  const { complete, pauses } = await putDirectly(new Uint8Array(file));
  assert.equal((await complete()).duplicate, false);
  assert.ok(pauses() > 5, String(pauses()));
});
