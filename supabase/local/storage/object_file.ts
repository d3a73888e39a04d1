/**
 * One object in one file: its bytes, then what is known of it, then a fixed tail. Body and metadata thus
 * appear and vanish by one rename, so that a process killed at any point leaves the old object or the new.
 *
 *     [body][metadata, JSON in UTF-8][length of the JSON, uint32 big-endian]["SEDIMOBJ"]
 *
 * A file whose tail doesn't add up (a power cut may tear one) is no object.
 */
import { createHash } from "node:crypto";

/** What is kept of an object; the words of `storage.objects.metadata` where it has them. */
export interface ObjectMeta {
  id: string;
  version: string;
  /** Bytes. */
  size: number;
  /** MD5 of the body, hex, without quotes. */
  md5: string;
  mimetype: string;
  cacheControl: string;
  /** ISO 8601. */
  lastModified: string;
  /** ISO 8601; survives an upsert. */
  createdAt: string;
  /** `sub` of the user who uploaded it. */
  owner?: string;
  userMetadata?: unknown;
}

/** An object that is open for reading: it stays readable when it is replaced or deleted meanwhile. */
export interface OpenObject {
  meta: ObjectMeta;
  file: Deno.FsFile;
}

const magic = new TextEncoder().encode("SEDIMOBJ");
const tailLength = 4 + magic.length;
const maxMetaLength = 2 * 1024 * 1024;
const chunkLength = 64 * 1024;
const wholeReadLimit = 256 * 1024;

/**
 * Writes body and metadata to a new file. On any failure, also of the body's stream, the file is removed.
 * @param describe gives the metadata once size and MD5 are known
 */
export async function writeObjectFile(
  path: string,
  body: AsyncIterable<Uint8Array>,
  describe: (body: { size: number; md5: string }) => ObjectMeta,
): Promise<ObjectMeta> {
  const file = await Deno.open(path, { write: true, createNew: true });
  try {
    const hash = createHash("md5");
    let size = 0;
    for await (const chunk of body) {
      hash.update(chunk);
      size += chunk.byteLength;
      await writeAll(file, chunk);
    }
    const meta = describe({ size, md5: hash.digest("hex") });
    await writeAll(file, encodeTail(meta));
    file.close();
    return meta;
  } catch (thrown) {
    file.close();
    await Deno.remove(path).catch(() => {});
    throw thrown;
  }
}

/** Appends the metadata to a file that already holds exactly the body. */
export async function appendTail(path: string, meta: ObjectMeta): Promise<void> {
  using file = await Deno.open(path, { append: true });
  await writeAll(file, encodeTail(meta));
}

/** Opens an object, or null when there is none (or only a torn file). The caller closes `file`. */
export async function openObjectFile(path: string): Promise<OpenObject | null> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true });
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw thrown;
  }
  try {
    const meta = await readMeta(file);
    if (meta) return { meta, file };
  } catch (thrown) {
    file.close();
    throw thrown;
  }
  file.close();
  return null;
}

/** The metadata of an object, or null. */
export async function readObjectMeta(path: string): Promise<ObjectMeta | null> {
  const open = await openObjectFile(path);
  open?.file.close();
  return open?.meta ?? null;
}

/** Bytes [start, start + length) of the body as a response body; closes the file at its end or on cancel. */
export async function rangeBody(
  open: OpenObject,
  start: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>> {
  const { file } = open;
  if (length <= wholeReadLimit) {
    try {
      return await readExactly(file, start, length);
    } finally {
      file.close();
    }
  }
  await file.seek(start, Deno.SeekMode.Start);
  let left = length;
  return new ReadableStream({
    async pull(controller) {
      const chunk = new Uint8Array(Math.min(chunkLength, left));
      const read = await file.read(chunk);
      if (read === null) throw new Error("the object's file ended early");
      controller.enqueue(chunk.subarray(0, read));
      left -= read;
      if (left === 0) {
        file.close();
        controller.close();
      }
    },
    cancel() {
      file.close();
    },
  }, { highWaterMark: 0 });
}

async function readMeta(file: Deno.FsFile): Promise<ObjectMeta | null> {
  const { size: fileSize } = await file.stat();
  if (fileSize < tailLength) return null;
  const tail = await readExactly(file, fileSize - tailLength, tailLength);
  if (!magic.every((byte, i) => tail[4 + i] === byte)) return null;
  const metaLength = new DataView(tail.buffer).getUint32(0);
  if (metaLength > maxMetaLength || metaLength + tailLength > fileSize) return null;
  const json = await readExactly(file, fileSize - tailLength - metaLength, metaLength);
  const meta: ObjectMeta = JSON.parse(new TextDecoder().decode(json));
  return meta.size + metaLength + tailLength === fileSize ? meta : null;
}

function encodeTail(meta: ObjectMeta): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(meta));
  const tail = new Uint8Array(json.length + tailLength);
  tail.set(json);
  new DataView(tail.buffer).setUint32(json.length, json.length);
  tail.set(magic, json.length + 4);
  return tail;
}

async function readExactly(
  file: Deno.FsFile,
  start: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  await file.seek(start, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const read = await file.read(bytes.subarray(filled));
    if (read === null) throw new Error("the object's file ended early");
    filled += read;
  }
  return bytes;
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.byteLength) written += await file.write(bytes.subarray(written));
}
