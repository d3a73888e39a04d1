import type { Kernels } from "../kernels/kernels.ts";
import type { KeyValue } from "../metadata.ts";
import type { SchemaTree } from "../schema.ts";
import { ThriftWriter, wire } from "../thrift.ts";
import { LeafLevels } from "./leaf_levels.ts";
import type { OutputColumn } from "./output_column.ts";
import type { LeafSource, SourcePlan } from "./source_plan.ts";
import { valueWidth } from "./value_order.ts";

/** A source schema as the kernels need it: how its leaves fill the output's columns. */
export interface Layout {
  tree: SchemaTree;
  plan: SourcePlan;
  /** Address of the plan for the kernels' appendGroup. */
  sources: number;
  /** Addresses of the sources' level maps, 0 where levels stay. */
  levelMaps: number[];
  /** What the leaves share. */
  levels: LeafLevels;
}

const kinds = { pages: 0, nulls: 1, sibling: 2 };

/** Puts a plan into the kernels' memory (assembly/append_group.ts, Source); {@link freeLayout} gives it back. */
export function makeLayout(
  kernels: Kernels,
  tree: SchemaTree,
  plan: SourcePlan,
  columns: readonly OutputColumn[],
): Layout {
  const levelMaps = plan.leaves.map((source) =>
    source.kind !== "pages" || source.levels === undefined ? 0 : levelMap(kernels, source.levels)
  );
  const words = plan.leaves.flatMap((source, i) =>
    sourceWords(tree, source, levelMaps[i], columns)
  );
  const sources = kernels.keepWords(words);
  return { tree, plan, sources, levelMaps, levels: new LeafLevels(kernels, tree) };
}

/** Gives back what a layout holds of the kernels' memory. */
export function freeLayout(kernels: Kernels, { sources, levelMaps, levels }: Layout): void {
  for (const address of [sources, ...levelMaps]) kernels.wasm.free(address);
  levels.free();
}

function sourceWords(
  tree: SchemaTree,
  source: LeafSource,
  levelMap: number,
  columns: readonly OutputColumn[],
): number[] {
  const words: number[] = new Array(12).fill(0);
  words[0] = kinds[source.kind];
  if (source.kind === "pages") {
    const leaf = tree.leaves[source.leaf];
    words[1] = source.leaf;
    words[2] = leaf.element.type!;
    words[3] = valueWidth(leaf);
    words[4] = leaf.definitionLevel;
    words[5] = leaf.repetitionLevel;
    words[6] = levelMap;
    words[7] = source.conversion ?? 0;
    words[8] = source.parameter ?? 0;
  } else if (source.kind === "nulls") words[11] = source.definitionLevel;
  else {
    words[9] = columns[source.sibling].address;
    words[10] = source.repetitionLevel;
    words[11] = source.definitionLevel;
  }
  return words;
}

/** Source → target definition level as a table of all 256, so that no byte can point behind it. */
function levelMap(kernels: Kernels, levels: Uint8Array): number {
  const table = new Uint8Array(256);
  table.set(levels.subarray(0, 256));
  return kernels.keep(table);
}

/** A footer that was parsed before: small files with the same bytes of schema are only scanned. */
export interface KnownFooter {
  layout: Layout;
  keyValues: KeyValue[] | undefined;
  schema: number;
  schemaBytes: number;
  keyValuesAt: number;
  keyValuesBytes: number;
  leafPaths: number;
}

/** Remembers the footer of the file that lies in the kernels' memory; undefined where it can't be scanned. */
export function rememberFooter(
  kernels: Kernels,
  file: number,
  size: number,
  layout: Layout,
  keyValues: KeyValue[] | undefined,
): KnownFooter | undefined {
  const { wasm } = kernels;
  if (wasm.scanFooter(file, size, 0, 0, 0, 0, 0, 0) === 0) return undefined;
  const schemaBytes = wasm.scanSchemaLength();
  const keyValuesBytes = wasm.scanKeyValuesLength();
  const schemaAt = wasm.scanSchemaAt(), keyValuesAt = wasm.scanKeyValuesAt();
  const schema = kernels.keep(kernels.bytes(schemaAt, schemaBytes));
  return {
    layout,
    keyValues,
    schema,
    schemaBytes,
    keyValuesAt: kernels.keep(kernels.bytes(keyValuesAt, keyValuesBytes)),
    keyValuesBytes,
    leafPaths: keepLeafPaths(kernels, layout.tree),
  };
}

/** For each leaf {type, 1 when no list stands above it, address and length of its path as a Thrift list}. */
function keepLeafPaths(kernels: Kernels, tree: SchemaTree): number {
  const thrift = new ThriftWriter(256);
  const words = tree.leaves.flatMap((leaf) => {
    thrift.reset();
    thrift.list(1, wire.binary, leaf.path.length);
    for (const name of leaf.path) thrift.bytesElement(name);
    const bytes = thrift.view().slice(1); // without the field's header
    return [
      leaf.element.type!,
      leaf.repetitionLevel === 0 ? 1 : 0,
      kernels.keep(bytes),
      bytes.length,
    ];
  });
  return kernels.keepWords(words);
}

/** Whether the file in memory is one of a known footer; its groups are in the kernels' table then. */
export function scanKnown(
  kernels: Kernels,
  known: KnownFooter,
  file: number,
  size: number,
): boolean {
  return kernels.wasm.scanFooter(
    file,
    size,
    known.schema,
    known.schemaBytes,
    known.keyValuesAt,
    known.keyValuesBytes,
    known.leafPaths,
    known.layout.tree.leaves.length,
  ) !== 0;
}
