import type { Kernels } from "../../kernels/kernels.ts";
import type { SchemaTree } from "../../format/schema.ts";
import { LeafLevels } from "../../kernels/leaf_levels.ts";
import type { LeafSource, SourcePlan } from "../union/source_plan.ts";
import { valueWidth } from "../../format/value_order.ts";

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

/** Words of a Source. */
const sourceLength = 12;

/** A level map has an entry for all that a byte can hold, so that none can point behind it. */
const mapBytes = 256;

const kinds = { pages: 0, nulls: 1, sibling: 2 };

/** Puts a plan into the kernels' memory (assembly/append_group.ts, Source); {@link freeLayout} gives it back. */
export function makeLayout(
  kernels: Kernels,
  tree: SchemaTree,
  plan: SourcePlan,
  columns: readonly { address: number }[],
): Layout {
  const levels = new LeafLevels(kernels, tree);
  const maps = plan.leaves.map((source) => source.kind === "pages" ? source.levels : undefined);
  const count = maps.filter((map) => map !== undefined).length;
  // a block of its own for each would cost more than it holds
  const sourceBytes = 4 * sourceLength * plan.leaves.length;
  const sources = kernels.wasm.alloc(sourceBytes + mapBytes * count);
  if (sources === 0) {
    levels.free();
    throw kernels.error({});
  }
  let free = sources + sourceBytes;
  const levelMaps = maps.map((map) => {
    if (map === undefined) return 0;
    const address = free;
    free += mapBytes;
    const table = kernels.bytes(address, mapBytes);
    table.fill(0);
    table.set(map.subarray(0, mapBytes));
    return address;
  });
  const words = plan.leaves.flatMap((source, i) =>
    sourceWords(tree, source, levelMaps[i], columns)
  );
  kernels.setWords(sources, words);
  return { tree, plan, sources, levelMaps, levels };
}

/** Gives back what a layout holds of the kernels' memory. */
export function freeLayout(kernels: Kernels, { sources, levels }: Layout): void {
  kernels.wasm.free(sources);
  levels.free();
}

function sourceWords(
  tree: SchemaTree,
  source: LeafSource,
  levelMap: number,
  columns: readonly { address: number }[],
): number[] {
  const words: number[] = new Array(sourceLength).fill(0);
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
