import type { SedimentError } from "../../../errors.ts";

/**
 * Thrown of an input that is sound and has no place in this output: its schema, or the keys by which its values are
 * read, are not those of the inputs before it. It can be merged with its like, into another output.
 */
export class SetApart extends Error {
  override readonly name = "SetApart";
  constructor(readonly error: SedimentError) {
    super(error.message, { cause: error });
  }
}

/** An input that was left out. */
export interface Rejection {
  id: string;
  error: SedimentError;
  /**
   * Set where nothing is wrong with the file: it has no place beside the others (its schema or its keys differ from
   * theirs), or is more than there is memory for. It may make another output, or stays as it is.
   */
  apart?: true;
}
