/** Some rows of a batch, as a batch of their own: Arrow's JavaScript has no such kernel. */
import * as arrow from "apache-arrow";

/** The rows at the given places, in their order. */
export function selectRows(batch: arrow.RecordBatch, rows: Int32Array): arrow.RecordBatch {
  return new arrow.RecordBatch(batch.schema, selectData(batch.data, rows) as never);
}

/** The slots of data that begins at offset 0. */
function selectData(data: arrow.Data, rows: Int32Array): arrow.Data {
  const { type } = data;
  const length = rows.length;
  if (type instanceof arrow.Null) return arrow.makeData({ type, length });
  const nulls = data.nullCount === 0 ? { nullCount: 0 } : selectNulls(data.nullBitmap, rows);
  const base = { type, length, ...nulls };
  // deno-lint-ignore no-explicit-any -- one call for all types: their layouts differ in these parts only
  const make = (parts: Record<string, unknown>) => arrow.makeData({ ...base, ...parts } as any);
  if (type instanceof arrow.Struct) {
    return make({ children: data.children.map((child) => selectData(child, rows)) });
  }
  if (type instanceof arrow.List || type instanceof arrow.Map_) {
    const { offsets, entries } = selectLists(data.valueOffsets, rows);
    return make({ valueOffsets: offsets, child: selectData(data.children[0], entries) });
  }
  if (type instanceof arrow.Utf8 || type instanceof arrow.Binary) {
    return make(selectBytes(data.values, data.valueOffsets, rows));
  }
  if (type instanceof arrow.Bool) return make({ data: selectBits(data.values, rows) });
  return make({ data: selectFixed(data.values, strideOf(type), rows) });
}

/** Elements of a value in Arrow's array for its type. */
function strideOf(type: arrow.DataType): number {
  if (type instanceof arrow.FixedSizeBinary) return type.byteWidth;
  return type instanceof arrow.Decimal ? type.bitWidth / 32 : 1;
}

function selectBits(bits: Uint8Array, rows: Int32Array): Uint8Array {
  const result = new Uint8Array((rows.length + 7) >> 3);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i];
    result[i >> 3] |= ((bits[row >> 3] >> (row & 7)) & 1) << (i & 7);
  }
  return result;
}

function selectNulls(bitmap: Uint8Array, rows: Int32Array) {
  const nullBitmap = selectBits(bitmap, rows);
  let nullCount = rows.length;
  for (let i = 0; i < rows.length; i++) nullCount -= (nullBitmap[i >> 3] >> (i & 7)) & 1;
  return { nullCount, nullBitmap: nullCount === 0 ? undefined : nullBitmap };
}

interface Numbers {
  readonly length: number;
  [index: number]: unknown;
  subarray(from: number, to: number): Numbers;
  set(from: Numbers, at: number): void;
}

function selectFixed(values: Numbers, stride: number, rows: Int32Array): Numbers {
  const Type = values.constructor as { new (length: number): Numbers };
  const result = new Type(rows.length * stride);
  if (stride === 1) { for (let i = 0; i < rows.length; i++) result[i] = values[rows[i]]; }
  else {
    for (let i = 0; i < rows.length; i++) {
      result.set(values.subarray(rows[i] * stride, (rows[i] + 1) * stride), i * stride);
    }
  }
  return result;
}

function selectBytes(values: Uint8Array, from: Int32Array, rows: Int32Array) {
  const valueOffsets = new Int32Array(rows.length + 1);
  for (let i = 0; i < rows.length; i++) {
    valueOffsets[i + 1] = valueOffsets[i] + from[rows[i] + 1] - from[rows[i]];
  }
  const data = new Uint8Array(valueOffsets[rows.length]);
  for (let i = 0; i < rows.length; i++) {
    data.set(values.subarray(from[rows[i]], from[rows[i] + 1]), valueOffsets[i]);
  }
  return { valueOffsets, data };
}

/** The offsets of lists, and the entries that they hold. */
function selectLists(from: Int32Array, rows: Int32Array) {
  const offsets = new Int32Array(rows.length + 1);
  for (let i = 0; i < rows.length; i++) {
    offsets[i + 1] = offsets[i] + from[rows[i] + 1] - from[rows[i]];
  }
  const entries = new Int32Array(offsets[rows.length]);
  for (let i = 0, at = 0; i < rows.length; i++) {
    for (let entry = from[rows[i]]; entry < from[rows[i] + 1]; entry++) entries[at++] = entry;
  }
  return { offsets, entries };
}
