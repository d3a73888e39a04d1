import type { AvroPrimitive, AvroType, AvroUnion } from "../schema.ts";
import type { ColumnMemory } from "./column_memory.ts";
import { DecimalLeaf } from "./decimal.ts";
import {
  BooleanLeaf,
  BytesLeaf,
  DoubleLeaf,
  EnumLeaf,
  FixedLeaf,
  FloatLeaf,
  Int32Leaf,
  Int64Leaf,
  NullLeaf,
  TimeMicrosLeaf,
  TimeMillisLeaf,
} from "./leaves.ts";
import { ArrayNode, MapNode, RecordNode, type UnionBranch, UnionNode } from "./nested.ts";
import type { ColumnNode } from "./node.ts";
import { unionMembers } from "./union_members.ts";
import { UuidTextLeaf } from "./uuid_text.ts";

/** A column, by how it keeps its values. */
export type LeafNode =
  | NullLeaf
  | BooleanLeaf
  | Int32Leaf
  | Int64Leaf
  | TimeMillisLeaf
  | TimeMicrosLeaf
  | FloatLeaf
  | DoubleLeaf
  | EnumLeaf
  | BytesLeaf
  | FixedLeaf
  | DecimalLeaf
  | UuidTextLeaf;

/** Any part of the column tree. */
export type AnyColumn = LeafNode | RecordNode | ArrayNode | MapNode | UnionNode;

/** The column tree of a type. Each place of a named type gets columns of its own. */
export function buildColumns(type: AvroType, memory: ColumnMemory): AnyColumn {
  switch (type.kind) {
    case "record":
      return new RecordNode(
        type.fields.map((field) => field.name),
        type.fields.map((field) => buildColumns(field.type, memory)),
      );
    case "array":
      return new ArrayNode(memory, buildColumns(type.items, memory), type.items.minBytes);
    case "map": {
      const keys = new BytesLeaf(memory, true);
      return new MapNode(memory, keys, buildColumns(type.values, memory), 1 + type.values.minBytes);
    }
    case "union":
      return buildUnion(type, memory);
    case "enum":
      return new EnumLeaf(memory, type.symbols);
    case "fixed":
      return type.logical?.kind === "decimal"
        ? new DecimalLeaf(memory, type.logical.precision, type.size)
        : new FixedLeaf(memory, type.size);
    default:
      return buildPrimitive(type, memory);
  }
}

function buildPrimitive(type: AvroPrimitive, memory: ColumnMemory): LeafNode {
  switch (type.kind) {
    case "null":
      return new NullLeaf();
    case "boolean":
      return new BooleanLeaf(memory);
    case "int":
      return type.logical?.kind === "time" ? new TimeMillisLeaf(memory) : new Int32Leaf(memory);
    case "long":
      return type.logical?.kind === "time" ? new TimeMicrosLeaf(memory) : new Int64Leaf(memory);
    case "float":
      return new FloatLeaf(memory);
    case "double":
      return new DoubleLeaf(memory);
    case "bytes":
      return type.logical?.kind === "decimal"
        ? new DecimalLeaf(memory, type.logical.precision, undefined)
        : new BytesLeaf(memory, false);
    case "string":
      return type.logical?.kind === "uuid" ? new UuidTextLeaf(memory) : new BytesLeaf(memory, true);
  }
}

function buildUnion(type: AvroUnion, memory: ColumnMemory): UnionNode {
  const { members, memberOf } = unionMembers(type);
  const nodes = members.map((member) => buildColumns(member, memory));
  const branches = type.branches.map((branch, index): UnionBranch => {
    const member = memberOf[index];
    if (member < 0) return { member, reader: new NullLeaf() };
    const node: ColumnNode = nodes[member];
    if (branch.kind === "float" && node instanceof DoubleLeaf) {
      return { member, reader: { read: (cursor) => node.readFloat(cursor) } };
    }
    return { member, reader: node };
  });
  return new UnionNode(memory, nodes, branches);
}
