/** How a body is cut into tables. Without a library, for every side. */

/** More slices than this are refused: the upload token, which carries them, rides in a URL. */
export const maxSlices = 128;

/** What is said of `table_offsets` that are no list of slices. */
export const offsetsText = "an array, or a JSON string of one";

/** The place of one table's bytes. */
export interface SlicePlace {
  /** First byte. */
  start_byte: number;
  /** Bytes, above zero. */
  byte_length: number;
}

/** What is wrong with how a body is cut. */
export interface SliceFault {
  /** E.g. `table_offsets[1].start_byte`. */
  field: string;
  /** In a sentence. */
  detail: string;
  expected: string;
}

/**
 * Whether slices overlap or leave the body. They may come in any order, and may leave gaps.
 *
 * @param size length of the body, bytes; absent where it is not known yet
 */
export function sliceFault(slices: readonly SlicePlace[], size = Infinity): SliceFault | null {
  const inOrder = slices.map((slice, ordinal) => ({ slice, ordinal }))
    .sort((a, b) => a.slice.start_byte - b.slice.start_byte);
  let end = 0;
  for (const { slice, ordinal } of inOrder) {
    const field = `table_offsets[${ordinal}]`;
    if (slice.start_byte < end) {
      return {
        field: `${field}.start_byte`,
        detail:
          `The slice at ${slice.start_byte} begins before byte ${end}, where another one ends`,
        expected: "slices that do not overlap",
      };
    }
    end = slice.start_byte + slice.byte_length;
    if (end > size) {
      return {
        field: `${field}.byte_length`,
        detail: `The slice ends at byte ${end}`,
        expected: `an end within the body's ${size} bytes`,
      };
    }
  }
  return null;
}
