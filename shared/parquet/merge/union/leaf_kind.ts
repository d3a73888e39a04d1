import type { Logical } from "../../format/logical_text.ts";
import { physicalType, type SchemaElement } from "../../format/metadata.ts";
import type { SchemaNode } from "../../format/schema.ts";

/** The parts of an element that make the type of a leaf. */
export type LeafElement = Pick<
  SchemaElement,
  "type" | "typeLength" | "convertedType" | "scale" | "precision" | "logicalType"
>;

/** A leaf's type: its storage and what it stands for. */
export interface LeafKind {
  element: LeafElement;
  logical: Logical | undefined;
}

/** The type of a schema's leaf. */
export function leafKind(node: SchemaNode): LeafKind {
  return { element: node.element, logical: node.logical };
}

/** An integer type. */
export interface Integer {
  bits: number;
  signed: boolean;
}

/** The integer that a leaf is; undefined when it is something else. */
export function integerOf({ element, logical }: LeafKind): Integer | undefined {
  if (logical?.kind === "INTEGER") return { bits: logical.bitWidth, signed: logical.signed };
  if (logical !== undefined) return undefined;
  if (element.type === physicalType.INT32) return { bits: 32, signed: true };
  if (element.type === physicalType.INT64) return { bits: 64, signed: true };
  return undefined;
}
