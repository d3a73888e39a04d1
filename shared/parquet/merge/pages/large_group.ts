import { chunkExtent } from "../../inspect/check_chunks.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import type { RowGroup } from "../../format/metadata.ts";
import type { RangeReader } from "../../format/range_reader.ts";
import { type ChunkPart, readChunks } from "../copy/chunk_stream.ts";
import type { GroupBuilder } from "./group_builder.ts";
import type { Layout } from "./known_layout.ts";
import { PageFeeder } from "../copy/page_feeder.ts";

/** A row group of a large file, and what reads it. */
export interface LargeGroup {
  layout: Layout;
  group: RowGroup;
  reader: RangeReader;
  /** Bytes of a range read. */
  windowBytes: number;
  signal?: AbortSignal;
}

/** Compressed bytes of a row group. */
export function groupBytes(group: RowGroup): number {
  return group.columns.reduce((sum, chunk) => sum + chunk.metaData!.totalCompressedSize, 0);
}

/** Appends a row group chunk by chunk; its pages wait in memory. */
export async function appendLargeGroup(
  builder: GroupBuilder,
  kernels: Kernels,
  { layout, group, reader, windowBytes, signal }: LargeGroup,
): Promise<void> {
  const { leaves } = layout.plan;
  const wanted: { column: number; leaf: number }[] = [];
  leaves.forEach((source, column) => {
    if (source.kind === "pages") wanted.push({ column, leaf: source.leaf });
  });
  // in file order, so that neighbours are read together
  const extents = wanted.map(({ leaf }) => chunkExtent(group.columns[leaf].metaData!));
  const order = wanted.map((_, i) => i).sort((a, b) => extents[a].start - extents[b].start);
  // levels of a sibling are needed until the group is whole
  const cuts = !leaves.some((source) => source.kind === "sibling");
  const feeder = new PageFeeder(kernels);
  const append = ({ chunk, offset, bytes, last }: ChunkPart) => {
    const { column, leaf } = wanted[order[chunk]];
    const node = layout.tree.leaves[leaf];
    if (offset === 0) {
      feeder.start();
      builder.open(layout, column, group);
    }
    const output = builder.columns[column];
    const onPage = cuts ? () => builder.relieve(column, group.numRows) : undefined;
    const fine = feeder.feed(output.address, bytes, last, onPage) &&
      (!last || kernels.wasm.closeChunk() !== 0);
    if (!fine) throw builder.fault(node);
  };
  const inOrder = order.map((i) => extents[i]);
  for await (const parts of readChunks(reader, inOrder, windowBytes, signal)) {
    parts.forEach(append);
  }
  layout.levels.check();
  leaves.forEach((source, column) => {
    if (source.kind === "nulls") builder.appendNulls(column, group.numRows, source);
    if (source.kind === "sibling") builder.appendFromSibling(column, group.numRows, source);
  });
  builder.took(group.numRows);
}
