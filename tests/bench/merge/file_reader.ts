import type { RangeReader } from "../../../shared/parquet/format/range_reader.ts";

/** Buffers that were given back, to be read into again. */
const free: Uint8Array[] = [];

/** A buffer of at least `length` bytes; a page of memory that was never touched costs a fault. */
function take(length: number): Uint8Array {
  const index = free.findIndex((one) => one.length >= length && one.length < 4 * length + 65_536);
  const buffer = index === -1 ? new Uint8Array(Math.ceil(length * 1.25)) : free.splice(index, 1)[0];
  return buffer.subarray(0, length);
}

/** A file on disk; opened for each read, as an object store would be asked. Its size is known, as the catalog's. */
export function fileReader(path: string, size: number): RangeReader {
  return {
    size,
    read(start, length) {
      const file = Deno.openSync(path);
      if (start > 0) file.seekSync(start, Deno.SeekMode.Start);
      const bytes = take(length);
      let done = 0;
      while (done < length) {
        const got = file.readSync(done === 0 ? bytes : bytes.subarray(done));
        if (got === null) break;
        done += got;
      }
      file.close();
      return Promise.resolve(bytes);
    },
    release(bytes) {
      if (free.length < 16) free.push(new Uint8Array(bytes.buffer));
      else (bytes.buffer as ArrayBuffer).transfer(0);
    },
  };
}
