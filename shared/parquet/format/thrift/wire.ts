/**
 * What the reader and the writer share of the Thrift compact protocol.
 * Source: apache/thrift doc/specs/thrift-compact-protocol.md.
 */

/** Wire types of fields and list elements. A field of type bool holds its value in the type itself. */
export const wire = {
  stop: 0,
  true: 1,
  false: 2,
  i8: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  set: 10,
  map: 11,
  struct: 12,
  uuid: 13,
} as const;
