/** What snappy alone takes of a merge: the floor of any that compresses all it writes. */
import { readFooter } from "../../../shared/parquet/format/footer.ts";
import { codec } from "../../../shared/parquet/format/metadata.ts";
import { readPageHeader } from "../../../shared/parquet/format/page_header.ts";
import { bytesReader } from "../../../shared/parquet/format/range_reader.ts";
import { HostKernels } from "../../../shared/parquet/kernels/host_kernels.ts";

/** Bytes of a page at most; the bench's are of 1 MiB. */
const roomBytes = 16 * 1024 * 1024;

/** The snappy pages of files in turn: their bodies, and the length of what they hold. */
async function* snappyPages(paths: readonly string[]) {
  for (const path of paths) {
    const bytes = await Deno.readFile(path);
    const { metadata } = await readFooter(bytesReader(bytes));
    for (const { columns } of metadata.rowGroups) {
      for (const { metaData } of columns) {
        if (metaData!.codec !== codec.SNAPPY) continue;
        let at = metaData!.dictionaryPageOffset || metaData!.dataPageOffset;
        const end = at + metaData!.totalCompressedSize;
        while (at < end) {
          const { headerLength, compressedSize, uncompressedSize } = readPageHeader(bytes, at);
          at += headerLength + compressedSize;
          yield { body: bytes.subarray(at - compressedSize, at), length: uncompressedSize };
        }
      }
    }
  }
}

/**
 * Ms that the kernels' snappy takes to decompress the pages of inputs, and to compress those of the output anew: each page
 * four times, of which the fastest counts. About what native snappy takes.
 */
export async function snappyFloor(inputs: readonly string[], output: string): Promise<number> {
  const { wasm, ...kernels } = openKernels();
  const packed = wasm.alloc(roomBytes), plain = wasm.alloc(roomBytes);
  const again = wasm.alloc(wasm.snappyBound(roomBytes));
  let ms = 0;
  const timed = (run: () => number) => {
    let least = Infinity;
    for (let i = 0; i < 4; i++) {
      const start = performance.now();
      if (run() === 0) throw new Error("snappy failed");
      least = Math.min(least, performance.now() - start);
    }
    ms += least;
  };
  for await (const { body, length } of snappyPages(inputs)) {
    kernels.put(packed, body);
    timed(() => wasm.snappyDecode(packed, body.length, plain, length));
  }
  for await (const { body, length } of snappyPages([output])) {
    kernels.put(packed, body);
    if (wasm.snappyDecode(packed, body.length, plain, length) === 0) {
      throw new Error("snappy failed");
    }
    timed(() => wasm.snappyEncode(plain, length, again));
  }
  return ms;
}

function openKernels() {
  const MiB = 1024 * 1024;
  const kernels = new HostKernels({
    memoryBytes: 112 * MiB,
    pageBytes: roomBytes,
    pageValues: 16 * MiB,
  });
  return {
    wasm: kernels.wasm,
    put: (address: number, bytes: Uint8Array) => kernels.view.set(bytes, address),
  };
}
