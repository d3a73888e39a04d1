/** What the suites of object stores share: a store under test, bytes to put there, and assertions. */
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";

import { type ErrorCode, SedimentError } from "../../shared/errors.ts";
import type { ObjectStore } from "../../shared/storage/object_store.ts";

/** A store under test. */
export interface OpenedStore {
  store: ObjectStore;
  close(): Promise<void>;
  /** Whether signed URLs can be fetched. @default true */
  fetchable?: boolean;
  /** The most bytes that the store takes, where it has a limit small enough to try. */
  maxObjectBytes?: number;
}

/** One test's store, and a prefix of its own in it. */
export class Case {
  readonly store: ObjectStore;
  readonly key: (name: string) => string;

  constructor(readonly opened: OpenedStore) {
    this.store = opened.store;
    const prefix = `conformance/${crypto.randomUUID()}/`;
    this.key = (name) => prefix + name;
  }

  async cleanUp(): Promise<void> {
    let page = await this.store.list(this.key(""));
    while (page.objects.length > 0) {
      await this.store.deleteMany(page.objects.map((object) => object.key));
      page = await this.store.list(this.key(""));
    }
  }
}

/** Where tests go; `Deno.test`, or what counts them. */
export type Register = (name: string, run: () => Promise<void>) => void;

/** Registers a test by a sentence that can be false. */
export type Check = (sentence: string, run: (c: Case) => Promise<void>) => void;

/** Checks of a store, each with a store opened for it and its own prefix there, cleaned up behind it. */
export function checksOf(name: string, open: () => Promise<OpenedStore>, test: Register): Check {
  return (sentence, run) =>
    test(`${name}: ${sentence}`, async () => {
      const opened = await open();
      const c = new Case(opened);
      try {
        await run(c);
      } finally {
        await c.cleanUp();
        await opened.close();
      }
    });
}

/** Asserts that a call is refused with a code. */
export async function throwsCode(
  code: ErrorCode,
  call: () => Promise<unknown>,
  about = "",
): Promise<void> {
  await assert.rejects(async () => await call(), (thrown) => {
    assert.ok(thrown instanceof SedimentError, `${about} ${thrown}`);
    assert.equal(thrown.code, code, `${about} ${thrown.message}`);
    return true;
  }, `${about} should be refused with ${code}`);
}

/** Asserts that there is no object, also when the server has had time to see that its client has gone. */
export async function staysMissing(store: ObjectStore, key: string): Promise<void> {
  for (let look = 0; look < 6; look++) {
    assert.equal(await store.head(key), null);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function assertSameBytes(actual: Uint8Array, expected: Uint8Array, about = ""): void {
  assert.equal(actual.byteLength, expected.byteLength, `${about} length`);
  assert.ok(expected.every((byte, i) => actual[i] === byte), `${about} bytes differ`);
}

export function text(words: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(words);
}

/** Bytes that repeat nowhere near the sizes of parts and chunks, the same for the same size. */
export function noise(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let state = (size | 1) >>> 0;
  for (let i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

export function cut(bytes: Uint8Array, length: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength; at += length) {
    chunks.push(bytes.subarray(at, at + length));
  }
  return chunks;
}

export function streamOf(chunks: Uint8Array[], failure?: Error): ReadableStream<Uint8Array> {
  let next = 0;
  return new ReadableStream({
    pull(controller) {
      if (next < chunks.length) controller.enqueue(chunks[next++]);
      else if (failure) controller.error(failure);
      else controller.close();
    },
  });
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
