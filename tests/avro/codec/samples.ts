import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { AvroFault } from "../../../shared/avro/avro_error.ts";

/** Bytes of many kinds and lengths: noise, few symbols, words, numbers, runs. The same at every call. */
export function samples(): Uint8Array[] {
  let seed = 12345;
  const random = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) / 2 ** 32;
  const words = Array.from({ length: 40 }, () => random().toString(36).slice(2, 3 + random() * 8));
  const kinds: ((n: number) => Uint8Array)[] = [
    (n) => new Uint8Array(n).map(() => random() * 256),
    (n) => new Uint8Array(n).map(() => random() * random() * 12),
    (n) => {
      let text = "";
      while (text.length < n) text += `${words[Math.floor(random() * 40)]} `;
      return new TextEncoder().encode(text.slice(0, n));
    },
    (n) =>
      new Uint8Array(new Float64Array(n >> 3).map(() => 1_000 + Math.floor(random() * 9)).buffer),
    (n) => new Uint8Array(n).fill(7),
  ];
  return [0, 1, 3, 40, 700, 3_000, 70_000, 200_000].flatMap((n) => kinds.map((kind) => kind(n)));
}

/** The message of the fault that a step must throw with this code. */
export function fault(code: "invalid_avro" | "unsupported_avro", step: () => unknown): string {
  try {
    step();
  } catch (thrown) {
    if (!(thrown instanceof AvroFault)) throw thrown;
    assert.equal(thrown.code, code, thrown.message);
    return thrown.message;
  }
  assert.fail(`nothing was thrown where ${code} was expected`);
}

/** That two byte strings are equal; deepEqual takes seconds over a megabyte on Deno 2.1. */
export function assertBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length);
  const different = Buffer.compare(actual, expected) === 0
    ? -1
    : actual.findIndex((byte, at) => byte !== expected[at]);
  assert.equal(different, -1, `the bytes differ from ${different} on`);
}
