import type { SedimentError } from "../../../errors.ts";

/**
 * Why a sound file has no place in an output. `schema`: its schema, or the keys by which its values are read, are not
 * those of the inputs before it. `values`: one of its values does not fit the type that the output has. `memory`: there
 * is no memory for it, even alone.
 */
export type ApartKind = "schema" | "values" | "memory";

/** Thrown of an input that is sound and has no place in this output. */
export class SetApart extends Error {
  override readonly name = "SetApart";
  constructor(readonly error: SedimentError, readonly kind: ApartKind) {
    super(error.message, { cause: error });
  }
}

/** An input that was left out. */
export interface Rejection {
  id: string;
  error: SedimentError;
  /** Set where nothing is wrong with the file: it may make another output with its like, or stays as it is. */
  apart?: ApartKind;
}
