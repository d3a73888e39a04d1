import { invalid } from "../avro_error.ts";
import type { Cursor } from "../cursor.ts";
import type { ColumnMemory } from "./column_memory.ts";
import { GrowingBytes } from "./growing.ts";
import type { ColumnNode } from "./node.ts";

/** Where the hyphens stand in the text form of a UUID (RFC 9562, section 4). */
const hyphens = [8, 13, 18, 23];

/** `uuid` on a string: its 36 characters as 16 bytes. */
export class UuidTextLeaf implements ColumnNode {
  readonly kind = "fixed";
  readonly columns = 1;
  readonly size = 16;
  readonly data: GrowingBytes;

  constructor(memory: ColumnMemory) {
    this.data = new GrowingBytes(memory);
  }

  read(cursor: Cursor): void {
    const length = cursor.readLength();
    if (length !== 36) throw invalid(`a UUID has ${length} characters instead of 36`);
    const source = cursor.bytes;
    const from = cursor.skip(36);
    const data = this.data;
    data.reserve(16);
    for (let at = 0; at < 36;) {
      if (hyphens.includes(at)) {
        if (source[from + at++] !== 0x2d) throw invalid("a UUID lacks a hyphen");
        continue;
      }
      data.bytes[data.length++] = (digit(source[from + at]) << 4) | digit(source[from + at + 1]);
      at += 2;
    }
  }

  stoppedAt(): string {
    return "";
  }

  clear(): void {
    this.data.clear();
  }
}

function digit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  if (lower >= 0x61 && lower <= 0x66) return lower - 0x57;
  throw invalid("a UUID has a character that is no hexadecimal digit");
}
