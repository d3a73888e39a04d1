import { fileMetadataSteps, readFileMetadata, writeFileMetadata } from "./file_metadata.ts";
import { defaultLimits, type ParquetLimits } from "./limits.ts";
import type { FileMetaData } from "./metadata.ts";
import { parquetError } from "./parquet_error.ts";
import type { RangeReader } from "./range_reader.ts";
import { allAtOnce, type Steps } from "./steps.ts";
import { ThriftWriter } from "./thrift/thrift_writer.ts";

/** A footer and where it lies. */
export interface Footer {
  metadata: FileMetaData;
  /** Offset of its first byte: pages lie in [4, start). */
  start: number;
  /** Bytes of the metadata, the 8 closing bytes not counted. */
  length: number;
}

/** Bytes at the end of a file; page indexes mostly are among them. */
export interface FileTail {
  /** Offset of the first of them. */
  start: number;
  bytes: Uint8Array;
}

/** "PAR1" before and after the file, "PARE" where the footer is encrypted. */
const magic = 0x31524150;
const encryptedMagic = 0x45524150;

/** Read at the end of a file before the footer's length is known; holds the footers of most fragments. */
const tailGuess = 64 * 1024;

function uint32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/**
 * The footer's length from a file's last 8 bytes (spec: 4 bytes length, little-endian, then the magic).
 * Throws `not_parquet`, `unsupported_parquet` (encrypted) or `invalid_parquet` (length out of bounds).
 * @param fileSize the whole file's bytes
 */
export function footerLength(
  lastEight: Uint8Array,
  fileSize: number,
  limits: Readonly<ParquetLimits> = defaultLimits,
): number {
  const end = lastEight.length;
  const found = end < 8 ? 0 : uint32(lastEight, end - 4);
  if (found === encryptedMagic) {
    throw parquetError("unsupported_parquet", "the footer is encrypted (PARE)", {}, {
      expected: "a Parquet file without encryption",
    });
  }
  if (found !== magic || fileSize < 12) {
    throw parquetError("not_parquet", `the ${fileSize} bytes do not end with PAR1`, {}, {
      expected: "PAR1 as the first and last four bytes",
    });
  }
  const length = uint32(lastEight, end - 8);
  if (length === 0 || length > fileSize - 12) {
    throw parquetError(
      "invalid_parquet",
      `the footer declares ${length} bytes, and the file has ${fileSize}`,
    );
  }
  if (length > limits.footerBytes) {
    throw parquetError(
      "invalid_parquet",
      `the footer declares ${length} bytes, over the ${limits.footerBytes} allowed`,
    );
  }
  return length;
}

function checkHead(head: Uint8Array): void {
  if (head.length >= 4 && uint32(head, 0) !== magic) {
    throw parquetError("not_parquet", "the bytes do not begin with PAR1", {}, {
      expected: "PAR1 as the first and last four bytes",
    });
  }
}

/** A file that begins as Parquet and does not end as such was cut off on its way. */
function checkTail(head: Uint8Array, lastEight: Uint8Array, fileSize: number): void {
  const end = lastEight.length;
  const last = end < 4 ? 0 : uint32(lastEight, end - 4);
  if (head.length < 4 || uint32(head, 0) !== magic) return;
  if (last === magic || last === encryptedMagic) return;
  throw parquetError(
    "invalid_parquet",
    `the file begins with PAR1 and is cut off at byte ${fileSize}`,
    {},
    {
      expected: "PAR1 as the first and last four bytes",
    },
  );
}

/** Reads the footer of a file in memory. Errors as {@link footerLength} and {@link readFileMetadata}. */
export function footerOfBytes(
  bytes: Uint8Array,
  limits: Readonly<ParquetLimits> = defaultLimits,
): Footer {
  return allAtOnce(footerSteps(bytes, limits));
}

/** The same, coming back now and then, for who lets others go on meanwhile. */
export function* footerSteps(
  bytes: Uint8Array,
  limits: Readonly<ParquetLimits> = defaultLimits,
): Steps<Footer> {
  const { footer, start } = footerOf(bytes, limits);
  return { metadata: yield* fileMetadataSteps(footer, limits), start, length: footer.length };
}

/**
 * The metadata of a file in memory as bytes, and where it begins. Throws as {@link footerLength} does, and `not_parquet` or
 * `invalid_parquet` for a file without a head, or cut off.
 */
export function footerOf(
  bytes: Uint8Array,
  limits: Readonly<ParquetLimits> = defaultLimits,
): { footer: Uint8Array; start: number } {
  const lastEight = bytes.subarray(Math.max(0, bytes.length - 8));
  checkTail(bytes, lastEight, bytes.length);
  const length = footerLength(lastEight, bytes.length, limits);
  checkHead(bytes);
  const start = bytes.length - 8 - length;
  return { footer: bytes.subarray(start, start + length), start };
}

/**
 * Reads the footer of a file by one range read, or two when it is over 64 KiB. The head's magic is checked
 * only when the file is that small; readers of pages see it anyway.
 */
export async function readFooter(
  reader: RangeReader,
  limits: Readonly<ParquetLimits> = defaultLimits,
  signal?: AbortSignal,
): Promise<Footer> {
  return (await readFooterWithTail(reader, limits, signal)).footer;
}

/** The same with the end of the file as far as it was read for that, when the footer was there as a whole. */
export async function readFooterWithTail(
  reader: RangeReader,
  limits: Readonly<ParquetLimits>,
  signal?: AbortSignal,
): Promise<{ footer: Footer; tail?: FileTail }> {
  const { bytes, start, tail } = await readFooterBytes(reader, limits, { signal });
  return {
    footer: { metadata: readFileMetadata(bytes, limits), start, length: bytes.length },
    tail,
  };
}

/** The metadata of {@link readFooter} as bytes, where it begins, and the file's end. */
export async function readFooterBytes(
  reader: RangeReader,
  limits: Readonly<ParquetLimits>,
  options: {
    signal?: AbortSignal;
    /** Told the metadata's length before more than the file's end is read; may throw. */
    onLength?: (length: number) => Promise<void> | undefined;
  },
): Promise<{ bytes: Uint8Array; start: number; tail?: FileTail }> {
  const { signal, onLength } = options;
  const tailLength = Math.min(reader.size, tailGuess);
  const tail = await reader.read(reader.size - tailLength, tailLength, signal);
  const length = footerLength(tail.subarray(Math.max(0, tail.length - 8)), reader.size, limits);
  if (tailLength === reader.size) checkHead(tail);
  const waiting = onLength?.(length);
  if (waiting !== undefined) await waiting;
  const start = reader.size - 8 - length;
  if (length + 8 > tailLength) return { bytes: await reader.read(start, length, signal), start };
  return {
    bytes: tail.subarray(tailLength - 8 - length, tailLength - 8),
    start,
    tail: { start: reader.size - tailLength, bytes: tail },
  };
}

/** The end of a file: FileMetaData, its length and the magic. As {@link writeFileMetadata} writes it. */
export function footerBytes(metadata: FileMetaData): Uint8Array {
  const writer = new ThriftWriter(4096);
  writeFileMetadata(writer, metadata);
  const length = writer.length;
  const bytes = new Uint8Array(length + 8);
  bytes.set(writer.view());
  const view = new DataView(bytes.buffer);
  view.setUint32(length, length, true);
  view.setUint32(length + 4, magic, true);
  return bytes;
}
