import type { RangeReader } from "../../../shared/parquet/range_reader.ts";

/** A file on disk; opened for each read, as an object store would be asked. Its size is known, as the catalog's. */
export function fileReader(path: string, size: number): RangeReader {
  return {
    size,
    read(start, length) {
      const file = Deno.openSync(path);
      if (start > 0) file.seekSync(start, Deno.SeekMode.Start);
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const got = file.readSync(done === 0 ? bytes : bytes.subarray(done));
        if (got === null) break;
        done += got;
      }
      file.close();
      return Promise.resolve(bytes);
    },
  };
}
