/**
 * Structs, lists and maps from the levels of a leaf below them (Dremel's levels; parquet-format README, Nested
 * Encoding).
 */
import * as arrow from "apache-arrow";
import { repetition } from "../../parquet/format/metadata.ts";
import { parquetError } from "../../parquet/format/parquet_error.ts";
import type { FieldView } from "../../parquet/merge/union/field_view.ts";
import type { LaidOut } from "./leaf_data.ts";
import { leafData } from "./leaf_data.ts";

/** The levels of a leaf's rows, a byte each; undefined where they can only be 0. */
export interface Levels {
  count: number;
  defs: Uint8Array | undefined;
  reps: Uint8Array | undefined;
}

/** What the leaves of a batch gave. */
export interface Leaves {
  laidOut(leaf: number): LaidOut;
  /** Levels that are enough for a group of leaves: those of {@link levelLeaf}. */
  levels(leaf: number): Levels;
}

/** Where a field's slots are among the levels. */
interface Place {
  /** Slots begin at entries that repeat no deeper. */
  repetition: number;
  /** Entries of a lower definition level are no slots: the list around them is null or empty. */
  slotLevel: number;
}

/** The leaf below a group whose levels are read: the one in the fewest lists. */
export function levelLeaf(view: FieldView, levelOf: (leaf: number) => number): number {
  const { firstLeaf, leafCount } = view.node;
  let best = firstLeaf;
  for (let leaf = firstLeaf + 1; leaf < firstLeaf + leafCount; leaf++) {
    if (levelOf(leaf) < levelOf(best)) best = leaf;
  }
  return best;
}

/** The data of a column. @param levelOf repetition level of a leaf */
export function columnData(
  view: FieldView,
  type: arrow.DataType,
  leaves: Leaves,
  levelOf: (leaf: number) => number,
): arrow.Data {
  return fieldData(view, type, { repetition: 0, slotLevel: 0 });

  function fieldData(view: FieldView, type: arrow.DataType, place: Place): arrow.Data {
    if (view.kind === "leaf") {
      const leaf = view.node.firstLeaf;
      return leafData(type, view.node, leaves.laidOut(leaf), view.nullable);
    }
    const levels = leaves.levels(levelLeaf(view, levelOf));
    if (view.kind === "list" || view.kind === "map") return listData(view, type, place, levels);
    const { length, nullCount, nullBitmap } = structSlots(
      levels,
      place,
      view.node.definitionLevel,
      view.nullable,
    );
    const children = view.children.map((child, i) => {
      const data = fieldData(child, type.children[i].type, place);
      if (data.length !== length) throw disagrees(child);
      return data;
    });
    return arrow.makeData({
      type: type as arrow.Struct,
      length,
      nullCount,
      nullBitmap,
      children,
    });
  }

  function listData(
    view: FieldView,
    type: arrow.DataType,
    place: Place,
    levels: Levels,
  ): arrow.Data {
    const { node } = view;
    // a repeated field without annotation is its own list, which is never null
    const own = node.repetition === repetition.REPEATED;
    const entryLevel = own ? node.definitionLevel : node.repeated!.definitionLevel;
    const below: Place = { repetition: place.repetition + 1, slotLevel: entryLevel };
    const { offsets, length, nullCount, nullBitmap } = listSlots(
      levels,
      place,
      own ? 0 : node.definitionLevel,
      entryLevel,
      view.nullable,
    );
    const entries = offsets[length];
    const data = (child: FieldView, type: arrow.DataType) => {
      const data = fieldData(child, type, below);
      if (data.length !== entries) throw disagrees(child);
      return data;
    };
    const base = { length, nullCount, nullBitmap, valueOffsets: offsets };
    const [inner] = type.children;
    if (view.kind === "list") {
      const child = data(view.children[0], inner.type);
      return arrow.makeData({ type: type as arrow.List, ...base, child });
    }
    const struct = inner.type as arrow.Struct;
    const children = view.children.map((child, i) =>
      data(i === 0 ? { ...child, nullable: false } : child, struct.children[i].type)
    );
    const child = arrow.makeData({ type: struct, length: entries, nullCount: 0, children });
    return arrow.makeData({ type: type as arrow.Map_, ...base, child });
  }
}

interface Slots {
  length: number;
  nullCount: number;
  nullBitmap: Uint8Array | undefined;
}

function structSlots(
  { count, defs, reps }: Levels,
  place: Place,
  validLevel: number,
  nullable: boolean,
): Slots {
  if (!nullable && reps === undefined && place.slotLevel === 0) {
    return { length: count, nullCount: 0, nullBitmap: undefined };
  }
  const bitmap = new Uint8Array((count + 7) >> 3);
  let length = 0, nullCount = 0;
  for (let i = 0; i < count; i++) {
    if (reps !== undefined && reps[i] > place.repetition) continue;
    const level = defs === undefined ? 0 : defs[i];
    if (level < place.slotLevel) continue;
    if (level >= validLevel) bitmap[length >> 3] |= 1 << (length & 7);
    else nullCount++;
    length++;
  }
  return nullsOf(bitmap, length, nullable ? nullCount : 0);
}

function nullsOf(bitmap: Uint8Array, length: number, nullCount: number): Slots {
  const nullBitmap = nullCount === 0 ? undefined : bitmap.subarray(0, (length + 7) >> 3);
  return { length, nullCount, nullBitmap };
}

function listSlots(
  { count, defs, reps }: Levels,
  place: Place,
  validLevel: number,
  entryLevel: number,
  nullable: boolean,
): Slots & { offsets: Int32Array } {
  const bitmap = new Uint8Array((count + 7) >> 3);
  const offsets = new Int32Array(count + 1);
  let length = 0, entries = 0, nullCount = 0;
  for (let i = 0; i < count; i++) {
    const repeats = reps![i];
    if (repeats > place.repetition + 1) continue;
    const level = defs![i];
    if (repeats <= place.repetition) {
      if (level < place.slotLevel) continue;
      offsets[length] = entries;
      if (level >= validLevel) bitmap[length >> 3] |= 1 << (length & 7);
      else nullCount++;
      length++;
    }
    if (level >= entryLevel) entries++;
  }
  offsets[length] = entries;
  return {
    ...nullsOf(bitmap, length, nullable ? nullCount : 0),
    offsets: offsets.subarray(0, length + 1),
  };
}

function disagrees(view: FieldView): Error {
  return parquetError(
    "invalid_parquet",
    "the levels contradict those of its neighbours on where they are null, empty or longer",
    { column: view.node.path },
  );
}
