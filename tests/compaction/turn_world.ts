/** A worker's turn in memory: a fake catalog, a store, a merge of lines, a clock that waits no time. */
import type { Clock } from "../../shared/clock.ts";
import type { CompactionPorts, Merge } from "../../shared/compaction/run/ports.ts";
import { takeTurn, type TurnOptions } from "../../shared/compaction/run/turn.ts";
import { SedimentError } from "../../shared/errors.ts";
import { createMemoryStore, type MemoryStoreOptions } from "../support/memory_store.ts";
import { createFakeCatalog, type FakeCatalogOptions } from "../support/fake_catalog.ts";

const user = "00000000-0000-4000-8000-000000000001";
const dataset = "00000000-0000-4000-8000-0000000000d1";

/** A clock that waits no time and remembers how long it would have waited. */
function quickClock() {
  let now = Date.parse("2026-11-22T12:00:00Z");
  const waits: number[] = [];
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    random: () => 0.5,
    sleep: (ms) => {
      waits.push(ms);
      now += ms;
      return Promise.resolve();
    },
  };
  return { clock, waits, advance: (ms: number) => void (now += ms) };
}

/** A merge of files that are text, one row a line. A file that begins with `!` is bad. */
export const lineMerge: Merge = async (plan, readers, sink) => {
  const lines: string[] = [];
  const merged: string[] = [];
  const rejected: { id: string; error: SedimentError }[] = [];
  for (const { id } of plan.inputs) {
    const reader = readers.get(id)!;
    const text = new TextDecoder().decode(await reader.read(0, reader.size));
    if (text.startsWith("!")) {
      rejected.push({ id, error: new SedimentError("invalid_parquet", "it begins with !") });
      continue;
    }
    lines.push(...text.trimEnd().split("\n"));
    merged.push(id);
  }
  const bytes = merged.length === 0 ? "" : lines.join("\n") + "\n";
  await sink.write(new TextEncoder().encode(bytes));
  return {
    rowCount: merged.length === 0 ? 0 : lines.length,
    rowGroupCount: 1,
    byteLength: bytes.length,
    uncompressedBytes: bytes.length,
    schemaFingerprint: "lines",
    schema: { name: "" },
    stats: {},
    valueCount: lines.length,
    mergeFacts: null,
    merged,
    rejected,
  };
};

export interface World {
  catalog?: FakeCatalogOptions;
  store?: MemoryStoreOptions;
  merge?: Merge;
}

/** A catalog and a store with fragments `texts`, one table unless `tables` says otherwise. */
export async function world(
  texts: string[],
  { catalog, store, merge }: World = {},
  tables = ["lines"],
) {
  const time = quickClock();
  // Hooks are for the turn, not for filling the world.
  let armed = false;
  const fakeCatalog = createFakeCatalog({
    now: () => new Date(time.clock.now()),
    settings: { min_inputs: 2, ...catalog?.settings },
    before: (call) => armed ? catalog?.before?.(call) : undefined,
    after: (call) => armed ? catalog?.after?.(call) : undefined,
  });
  const memoryStore = createMemoryStore({
    uploads: store?.uploads,
    before: (call) => armed ? store?.before?.(call) : undefined,
    after: (call) => armed ? store?.after?.(call) : undefined,
  });
  for (const [n, text] of texts.entries()) {
    const bytes = new TextEncoder().encode(text);
    const table = tables[n % tables.length];
    const stage = await fakeCatalog.stageUpload({
      user,
      dataset,
      table,
      periodTag: "0",
      size: bytes.length,
      contentHash: `${n}`,
      offsetsDigest: "",
    });
    await memoryStore.put(stage.object_key, bytes);
    await fakeCatalog.commitUpload({
      stage: stage.stage_id,
      user,
      size: bytes.length,
      etag: "e",
      contentHash: `${n}`,
      files: [{
        ordinal: 0,
        table,
        period_tag: "0",
        start_byte: 0,
        byte_length: bytes.length,
        row_count: text.trimEnd().split("\n").length,
        row_group_count: 1,
        uncompressed_bytes: bytes.length,
        schema_fingerprint: "lines",
        stats: {},
      }],
    });
  }
  armed = true;
  const ports = {
    catalog: fakeCatalog,
    store: memoryStore,
    clock: time.clock,
    merge: merge ?? lineMerge,
  } as unknown as CompactionPorts;
  const turn = (some: Partial<TurnOptions> = {}) =>
    takeTurn(ports, {
      worker: "w1",
      leaseSeconds: 300,
      turnSeconds: 60,
      turnBytes: 1e9,
      ...some,
    });
  /** Every row of every visible file, sorted. */
  const rows = () =>
    fakeCatalog.state.files.filter((file) => file.removed_version === null).flatMap((file) => {
      const bytes = memoryStore.objects.get(file.object_key)!.bytes;
      const slice = bytes.subarray(file.start_byte, file.start_byte + file.byte_length);
      return new TextDecoder().decode(slice).trimEnd().split("\n");
    }).sort();
  const visible = () => fakeCatalog.state.files.filter((file) => file.removed_version === null);
  return { catalog: fakeCatalog, store: memoryStore, turn, rows, visible, time };
}

export const fragments = ["a\nb\n", "c\n", "d\ne\nf\n"];
export const allRows = ["a", "b", "c", "d", "e", "f"];

/** Throws a number of times and then lets calls pass. */
export function failing(
  times: number,
  error: () => SedimentError,
  match: (name: string) => boolean,
) {
  return (call: { method: string }) => {
    if (match(call.method) && times-- > 0) throw error();
  };
}
