/** An upload into the store in memory: what was written lies here until it is finished. */
import { SedimentError } from "../../shared/errors.ts";
import type { ObjectInfo, ObjectUpload, StoredRange } from "../../shared/storage/object_store.ts";

/** What the store does for an upload, each call between its hooks. */
export interface UploadEnd {
  /** Lets a call have its effect. */
  during<T>(call: keyof ObjectUpload, effect: () => T): Promise<T>;
  /** The bytes of an object, undefined when it has another ETag. */
  read(range: StoredRange): Uint8Array | undefined;
  /** Stores the whole; `already_stored`. */
  store(bytes: Uint8Array): ObjectInfo;
}

/** See the module's head. */
export class MemoryUpload implements ObjectUpload {
  readonly #end: UploadEnd;
  #pieces: Uint8Array[] = [];
  #done: ObjectInfo | undefined;
  #given = false;

  constructor(end: UploadEnd) {
    this.#end = end;
  }

  get heldBytes(): number {
    return this.#pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#end.during("write", () => this.#add(chunk.slice()));
  }

  copyFrom(range: StoredRange): Promise<boolean> {
    return this.#end.during("copyFrom", () => {
      const bytes = this.#end.read(range);
      if (bytes !== undefined) this.#add(bytes);
      return bytes !== undefined;
    });
  }

  finish(): Promise<ObjectInfo> {
    return this.#end.during("finish", () => {
      if (this.#done !== undefined) return this.#done;
      this.#assertOpen();
      const bytes = new Uint8Array(this.heldBytes);
      this.#pieces.reduce((at, piece) => (bytes.set(piece, at), at + piece.byteLength), 0);
      this.#done = this.#end.store(bytes);
      this.#pieces = [];
      return this.#done;
    });
  }

  async abort(): Promise<void> {
    if (this.#done !== undefined) return;
    this.#given = true;
    this.#pieces = [];
    await this.#end.during("abort", () => {}).catch(() => {});
  }

  #add(piece: Uint8Array): void {
    this.#assertOpen();
    this.#pieces.push(piece);
  }

  #assertOpen(): void {
    if (this.#given || this.#done) throw new SedimentError("internal", "The upload has ended");
  }
}
