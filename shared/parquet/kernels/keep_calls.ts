/**
 * Keeps V8 from inlining the functions of a wasm module into each other.
 *
 * V8 (13.0 as 15.0) inlines functions of up to 500 bytes where it optimises a caller, and once more in each caller: of the
 * kernels it made a quarter of a cold merge's CPU time that way, 73 ms of compilation where 28 do, for code that is no
 * faster, as the compiler of build.ts has inlined what is worth it. So functions that are shorter are filled up with
 * `nop`, for which no machine code is made. The smallest stay: a call costs more than they do.
 */

/** Bytes of a function's body up to which V8 inlines it; its flag --wasm-inlining-max-size. */
const inlinedUpTo = 500;

/** Bytes of a body below which a function may be inlined. Of 40, 120 and 200 the fastest on 500 files of 500 rows. */
const leftBelow = 120;

/** Id of the code section, and instructions (WebAssembly core specification, 5.4 and 5.5). */
const codeSection = 10, nop = 0x01, end = 0x0b;

/** Reads unsigned LEB128 numbers and bytes one behind the other. */
class Cursor {
  at: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  get isDone(): boolean {
    return this.at >= this.#bytes.length;
  }

  number(): number {
    let value = 0;
    for (let shift = 0;; shift += 7) {
      const byte = this.#bytes[this.at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  }

  take(length: number): Uint8Array {
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }
}

/** The module with functions that V8 leaves where they are; it computes the same. */
export function keepCalls(wasm: Uint8Array): Uint8Array {
  const input = new Cursor(wasm, 8);
  const output: number[] = [...wasm.subarray(0, 8)];
  while (!input.isDone) {
    const [id] = input.take(1);
    const section = input.take(input.number());
    const bytes = id === codeSection ? filledUp(section) : section;
    output.push(id, ...leb128(bytes.length));
    for (const byte of bytes) output.push(byte);
  }
  return new Uint8Array(output);
}

function filledUp(section: Uint8Array): number[] {
  const input = new Cursor(section, 0);
  const count = input.number();
  const output = leb128(count);
  for (let i = 0; i < count; i++) {
    const body = input.take(input.number());
    const missing = body.length < leftBelow ? 0 : Math.max(0, inlinedUpTo + 1 - body.length);
    output.push(...leb128(body.length + missing), ...body.subarray(0, -1));
    output.push(...new Array(missing).fill(nop), end);
  }
  return output;
}

function leb128(value: number): number[] {
  const bytes: number[] = [];
  while (value >= 128) {
    bytes.push((value & 127) | 128);
    value >>>= 7;
  }
  return [...bytes, value];
}
