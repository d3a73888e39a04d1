import type { SchemaNode } from "../format/schema.ts";
import type { Bounds } from "./bounds.ts";

/** A finished data page of the row group that is being built. */
export interface FinishedPage {
  /** Header and body, valid until those of another page are asked for. */
  readonly bytes: Uint8Array;
  /** Header and uncompressed body. */
  uncompressedBytes: number;
  encoding: number;
  rows: number;
  /** Levels: values, nulls and empty lists. */
  values: number;
  nulls: number;
  bounds: Bounds | undefined;
}

/** A column whose pages for the open row group are made, as `writeRowGroup` takes it. */
export interface FinishedColumn {
  readonly leaf: SchemaNode;
  /** The order of the leaf's values (`valueOrder`). */
  readonly order: number;
  /** The chunk's codec; undefined when it has no page. */
  readonly codec: number | undefined;
  /** Data pages, the dictionary page left out. */
  readonly pages: readonly FinishedPage[];
  /** The dictionary's page; undefined when no page refers to one. */
  dictionaryPage(): { bytes: Uint8Array; uncompressedBytes: number } | undefined;
}
