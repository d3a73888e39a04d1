import type { AvroType, AvroUnion } from "../schema.ts";

/** What a union becomes. */
export interface UnionMembers {
  /** Whether null is a branch. */
  nullable: boolean;
  /** The types that values have: one is a plain column, several are a struct `member0`, `member1`, … */
  members: AvroType[];
  /** By branch its member, −1 for null. */
  memberOf: number[];
}

/**
 * Decides what a union becomes, as Spark's Avro source does (docs/sql-data-sources-avro.md) and, but for the
 * second rule, parquet-avro:
 * 1. null makes the rest nullable; a union of one other type is that type;
 * 2. int with long is long, float with double is double, where neither has a logical type;
 * 3. anything else is a struct whose fields `member0`, `member1`, … are the branches in order, null left out
 *    of the numbering; one of them has the value, the others are null.
 * A union of nothing but null is a column of nulls.
 */
export function unionMembers(type: AvroUnion): UnionMembers {
  const members: AvroType[] = [];
  const memberOf = type.branches.map((branch) => {
    if (branch.kind === "null") return -1;
    return members.push(branch) - 1;
  });
  const nullable = memberOf.includes(-1);
  if (members.length === 0) {
    return { nullable, members: [...type.branches], memberOf };
  }
  const wider = members.length === 2 ? widerOf(members[0], members[1]) : undefined;
  if (wider === undefined) return { nullable, members, memberOf };
  return { nullable, members: [wider], memberOf: memberOf.map((member) => Math.min(member, 0)) };
}

function widerOf(a: AvroType, b: AvroType): AvroType | undefined {
  for (const [narrow, wide] of [[a, b], [b, a]]) {
    const pair = `${narrow.kind} ${wide.kind}`;
    if (pair !== "int long" && pair !== "float double") continue;
    if ("logical" in narrow && narrow.logical !== undefined) return undefined;
    if ("logical" in wide && wide.logical !== undefined) return undefined;
    return wide;
  }
  return undefined;
}
