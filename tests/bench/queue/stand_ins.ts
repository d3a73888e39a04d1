/** What stands in for store and merge where the catalog alone is measured. */
import type { CompactionPorts } from "../../../shared/compaction/run/ports.ts";
import type { ObjectStore } from "../../../shared/storage/object_store.ts";

/** A store that has every object, takes every write and deletes what it is told: the catalog is measured, not the store. */
export const store = {
  getRange: (_key: string, _start: number, length: number) =>
    Promise.resolve(new Uint8Array(length)),
  put: (_key: string, body: Uint8Array) => Promise.resolve({ size: body.byteLength, etag: "e" }),
  deleteMany: () => Promise.resolve(),
} as unknown as ObjectStore;

/** A merge that reads its inputs and joins them. */
export const merge: CompactionPorts["merge"] = async (plan, readers, sink) => {
  let length = 0;
  for (const { id } of plan.inputs) {
    const reader = readers.get(id)!;
    const bytes = await reader.read(0, reader.size);
    await sink.write(bytes);
    length += bytes.byteLength;
  }
  return {
    rowCount: plan.expectedRows,
    rowGroupCount: 1,
    byteLength: length,
    uncompressedBytes: length,
    schemaFingerprint: "s",
    schema: {},
    stats: {},
    merged: plan.inputs.map(({ id }) => id),
    rejected: [],
  } as unknown as Awaited<ReturnType<CompactionPorts["merge"]>>;
};
