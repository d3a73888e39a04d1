import type { AnyColumn, LeafNode } from "./build_columns.ts";
import type { UnionNode } from "./nested.ts";

/**
 * A column of a row group in Dremel's form (parquet-format, README, "Nested Encoding"): a level for every
 * slot, a value for every slot whose definition level is the highest.
 */
export interface LeafColumn {
  leaf: LeafNode;
  slots: number;
  maxDefinition: number;
  maxRepetition: number;
  /** Undefined where the highest is 0. */
  definitions: Uint8Array | undefined;
  /** Undefined where the highest is 0. */
  repetitions: Uint8Array | undefined;
}

/** The slots at a place of the column tree; those of the highest definition level have something there. */
interface Slots {
  count: number;
  maxDefinition: number;
  maxRepetition: number;
  definitions: Uint8Array | undefined;
  repetitions: Uint8Array | undefined;
}

/** The columns of so many rows, in the order of the Parquet schema's leaves, one at a time. */
export function* leafColumns(root: AnyColumn, rows: number): Generator<LeafColumn> {
  yield* walk(root, {
    count: rows,
    maxDefinition: 0,
    maxRepetition: 0,
    definitions: undefined,
    repetitions: undefined,
  });
}

function* walk(node: AnyColumn, slots: Slots): Generator<LeafColumn> {
  switch (node.kind) {
    case "record":
      for (const field of node.fields) yield* walk(field as AnyColumn, slots);
      return;
    case "array":
      yield* walk(node.items as AnyColumn, repeated(slots, node.lengths.view()));
      return;
    case "map": {
      const inside = repeated(slots, node.lengths.view());
      yield* walk(node.keys as AnyColumn, inside);
      yield* walk(node.values as AnyColumn, inside);
      return;
    }
    case "union":
      yield* walkUnion(node, slots);
      return;
    case "null": {
      // optional, with never a value
      const definitions = slots.definitions ?? new Uint8Array(slots.count);
      yield leafColumn(node, { ...slots, maxDefinition: slots.maxDefinition + 1, definitions });
      return;
    }
    default:
      yield leafColumn(node, slots);
  }
}

function* walkUnion(node: UnionNode, slots: Slots): Generator<LeafColumn> {
  const members = node.members as readonly AnyColumn[];
  if (members[0].kind === "null") {
    yield* walk(members[0], slots);
    return;
  }
  if (node.present !== undefined) slots = optional(slots, node.present.view());
  if (node.tags === undefined) {
    yield* walk(members[0], slots);
    return;
  }
  const tags = node.tags.view();
  for (const [index, member] of members.entries()) {
    const chosen = new Uint8Array(tags.length);
    for (let n = 0; n < tags.length; n++) chosen[n] = tags[n] === index ? 1 : 0;
    yield* walk(member, optional(slots, chosen));
  }
}

function leafColumn(leaf: LeafNode, slots: Slots): LeafColumn {
  const { count, ...levels } = slots;
  return { leaf, slots: count, ...levels };
}

/** One level down, where something is there (1) or not (0). */
function optional(slots: Slots, present: Uint8Array): Slots {
  const { maxDefinition, definitions } = slots;
  if (definitions === undefined) return { ...slots, maxDefinition: 1, definitions: present };
  const next = new Uint8Array(definitions);
  for (let slot = 0, at = 0; slot < next.length; slot++) {
    if (next[slot] === maxDefinition) next[slot] += present[at++];
  }
  return { ...slots, maxDefinition: maxDefinition + 1, definitions: next };
}

/** One level down, where there are so many items. An empty list keeps its slot without a new level. */
function repeated(slots: Slots, lengths: Int32Array): Slots {
  const { maxDefinition, maxRepetition, definitions, repetitions } = slots;
  let count = slots.count;
  for (let n = 0; n < lengths.length; n++) {
    if (lengths[n] > 1) count += lengths[n] - 1;
  }
  const nextDefinitions = new Uint8Array(count);
  const nextRepetitions = new Uint8Array(count);
  for (let slot = 0, list = 0, to = 0; slot < slots.count; slot++) {
    const definition = definitions === undefined ? 0 : definitions[slot];
    if (repetitions !== undefined) nextRepetitions[to] = repetitions[slot];
    if (definition !== maxDefinition) {
      nextDefinitions[to++] = definition;
      continue;
    }
    const length = lengths[list++];
    if (length === 0) {
      nextDefinitions[to++] = maxDefinition;
      continue;
    }
    nextDefinitions[to++] = maxDefinition + 1;
    for (let n = 1; n < length; n++) {
      nextRepetitions[to] = maxRepetition + 1;
      nextDefinitions[to++] = maxDefinition + 1;
    }
  }
  return {
    count,
    maxDefinition: maxDefinition + 1,
    maxRepetition: maxRepetition + 1,
    definitions: nextDefinitions,
    repetitions: nextRepetitions,
  };
}
