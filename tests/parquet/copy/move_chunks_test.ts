/** Row groups that the sink moves by itself. */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { moveChunks } from "../../../shared/parquet/merge/copy/move_chunks.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import type { Sink } from "../../../shared/parquet/merge/merge_plan.ts";
import { mergePages } from "../../../shared/parquet/merge/page_merge.ts";
import { bytesReader, type RangeReader } from "../../../shared/parquet/format/range_reader.ts";
import { FileWriter } from "../../../shared/parquet/write/file_writer.ts";
import { mergeBytes, paths } from "../core/merge_bytes.ts";
import { MemorySink } from "../memory_sink.ts";
import { writeWithDuckDb } from "../sample_files.ts";

const rows = 30_000;
const { output: ours } = await mergeBytes(
  [await writeWithDuckDb(`select i, md5(i::varchar) as t from range(${rows}) t(i)`)],
  rows,
);

/** A sink that moves ranges, or says that it can't. */
class MovingSink implements Sink {
  readonly written = new MemorySink();
  readonly asked: { start: number; length: number }[] = [];

  constructor(private readonly can: boolean) {}

  write(chunk: Uint8Array): Promise<void> {
    return this.written.write(chunk);
  }

  async copy(input: RangeReader, start: number, length: number): Promise<boolean> {
    this.asked.push({ start, length });
    if (this.can) await this.write(await input.read(start, length));
    return this.can;
  }
}

/** Merges a file of ours with itself. */
async function merged(sink: Sink, level: number): Promise<void> {
  const inputs = ["a", "b"].map((id) => ({ id, level }));
  await mergePages(
    {
      inputs,
      target: { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "snappy" },
      expectedRows: 2 * rows,
    },
    new Map(inputs.map(({ id }) => [id, bytesReader(ours)])),
    sink,
    { settings: { ...paths.copied, wholeFileBytes: 0 } },
  );
}

Deno.test("a group of ours that the sink moves is in the same file as one that was read", async () => {
  const read = new MemorySink(), refusing = new MovingSink(false), moving = new MovingSink(true);
  for (const sink of [read, refusing, moving]) await merged(sink, 1);
  for (const { written } of [refusing, moving]) {
    assert.ok(Buffer.from(written.bytes()).equals(read.bytes()), "the files differ");
  }
  const [{ columns }] = footerOfBytes(ours).metadata.rowGroups;
  const length = columns.reduce((sum, chunk) => sum + chunk.metaData!.totalCompressedSize, 0);
  assert.deepEqual(moving.asked, [{ start: 4, length }, { start: 4, length }]);
});

Deno.test("no sink is asked to move what came from an upload", async () => {
  const moving = new MovingSink(true);
  await merged(moving, 0);
  assert.deepEqual(moving.asked, []);
});

Deno.test("chunks with other bytes between them are not moved, and in any order they are", async () => {
  const [group] = footerOfBytes(ours).metadata.rowGroups;
  const [first, second] = group.columns;
  const reader = bytesReader(ours);
  const turned = { ...group, columns: [second, first] };
  const sink = new MovingSink(true);
  const starts = await moveChunks(reader, turned, new FileWriter(sink));
  assert.deepEqual(starts, [first.metaData!.totalCompressedSize, 0]);
  const { totalCompressedSize } = first.metaData!;
  const shorter = {
    ...first,
    metaData: { ...first.metaData!, totalCompressedSize: totalCompressedSize - 1 },
  };
  const apart = { ...group, columns: [shorter, second] };
  assert.equal(await moveChunks(reader, apart, new FileWriter(sink)), undefined);
  assert.equal(sink.asked.length, 1);
});
