import { invalid } from "../avro_error.ts";
import type { Cursor } from "../cursor.ts";
import type { ColumnMemory } from "./column_memory.ts";
import { GrowingBytes, GrowingInts } from "./growing.ts";
import type { ColumnNode } from "./node.ts";

/** `record`: its fields in order, nothing of its own. */
export class RecordNode implements ColumnNode {
  readonly kind = "record";
  readonly columns: number;
  readonly names: readonly string[];
  readonly fields: readonly ColumnNode[];
  #at = 0;

  constructor(names: readonly string[], fields: readonly ColumnNode[]) {
    this.names = names;
    this.fields = fields;
    this.columns = fields.reduce((sum, field) => sum + field.columns, 0);
  }

  read(cursor: Cursor): void {
    const fields = this.fields;
    for (let n = 0; n < fields.length; n++) {
      this.#at = n;
      fields[n].read(cursor);
    }
  }

  stoppedAt(): string {
    return `.${this.names[this.#at]}${this.fields[this.#at].stoppedAt()}`;
  }

  clear(): void {
    for (const field of this.fields) field.clear();
  }
}

/** Arrays and maps: how many items each has, and the items. */
abstract class RepeatedNode implements ColumnNode {
  abstract readonly columns: number;
  readonly lengths: GrowingInts;
  readonly #memory: ColumnMemory;
  readonly #minBytes: number;
  /** −1 between items, so that a fault in a count is the list's own. */
  protected part = -1;

  /** @param minBytes fewest bytes of an item */
  constructor(memory: ColumnMemory, minBytes: number) {
    this.lengths = new GrowingInts(memory);
    this.#memory = memory;
    this.#minBytes = minBytes;
  }

  read(cursor: Cursor): void {
    let total = 0;
    for (;;) {
      this.part = -1;
      const count = cursor.readBlockCount(this.#minBytes);
      if (count === 0) break;
      const end = cursor.blockEnd;
      this.#memory.count(count, this.columns);
      for (let n = 0; n < count; n++) this.readItem(cursor);
      this.part = -1;
      if (end >= 0 && cursor.position !== end) {
        throw invalid("a block of items has another size than it declares");
      }
      total += count;
    }
    this.lengths.push(total);
  }

  protected abstract readItem(cursor: Cursor): void;
  abstract stoppedAt(): string;

  clear(): void {
    this.lengths.clear();
  }
}

/** `array`. */
export class ArrayNode extends RepeatedNode {
  readonly kind = "array";
  readonly columns: number;
  readonly items: ColumnNode;

  constructor(memory: ColumnMemory, items: ColumnNode, minBytes: number) {
    super(memory, minBytes);
    this.items = items;
    this.columns = items.columns;
  }

  protected readItem(cursor: Cursor): void {
    this.part = 0;
    this.items.read(cursor);
  }

  stoppedAt(): string {
    return this.part < 0 ? "" : `[]${this.items.stoppedAt()}`;
  }

  override clear(): void {
    super.clear();
    this.items.clear();
  }
}

/** `map`: pairs in the order they were written. */
export class MapNode extends RepeatedNode {
  readonly kind = "map";
  readonly columns: number;
  readonly keys: ColumnNode;
  readonly values: ColumnNode;

  constructor(memory: ColumnMemory, keys: ColumnNode, values: ColumnNode, minBytes: number) {
    super(memory, minBytes);
    this.keys = keys;
    this.values = values;
    this.columns = keys.columns + values.columns;
  }

  protected readItem(cursor: Cursor): void {
    this.part = 0;
    this.keys.read(cursor);
    this.part = 1;
    this.values.read(cursor);
  }

  stoppedAt(): string {
    return this.part < 0 ? "" : this.part === 0 ? "{key}" : `{}${this.values.stoppedAt()}`;
  }

  override clear(): void {
    super.clear();
    this.keys.clear();
    this.values.clear();
  }
}

/** How a union's branch is taken: by which node, into which of its members; −1 is null. */
export interface UnionBranch {
  member: number;
  reader: { read(cursor: Cursor): void };
}

/**
 * `union`: whether there is a value where null is a branch, and which member it is where there are several.
 */
export class UnionNode implements ColumnNode {
  readonly kind = "union";
  readonly columns: number;
  /** The columns that come out of it: one, or those of a struct `member0`, `member1`, … */
  readonly members: readonly ColumnNode[];
  /** 1 for a value, 0 for null; undefined where null is no branch. */
  readonly present: GrowingBytes | undefined;
  /** The member of each value; undefined where there is one. */
  readonly tags: GrowingBytes | undefined;
  readonly #branches: readonly UnionBranch[];
  #at = -1;

  constructor(
    memory: ColumnMemory,
    members: readonly ColumnNode[],
    branches: readonly UnionBranch[],
  ) {
    this.members = members;
    this.columns = members.reduce((sum, member) => sum + member.columns, 0);
    this.present = branches.some((branch) => branch.member < 0)
      ? new GrowingBytes(memory)
      : undefined;
    this.tags = members.length > 1 ? new GrowingBytes(memory) : undefined;
    this.#branches = branches;
  }

  read(cursor: Cursor): void {
    this.#at = -1;
    const index = cursor.readInt();
    if (index < 0 || index >= this.#branches.length) {
      throw invalid(`branch ${index} of a union that has ${this.#branches.length}`);
    }
    const { member, reader } = this.#branches[index];
    if (member < 0) {
      this.present!.push(0);
      return;
    }
    if (this.present !== undefined) this.present.push(1);
    if (this.tags !== undefined) this.tags.push(member);
    this.#at = member;
    reader.read(cursor);
  }

  stoppedAt(): string {
    if (this.#at < 0) return "";
    const inside = this.members[this.#at].stoppedAt();
    return this.members.length > 1 ? `.member${this.#at}${inside}` : inside;
  }

  clear(): void {
    this.present?.clear();
    this.tags?.clear();
    for (const member of this.members) member.clear();
  }
}
