/** An upload as an actor reaches it: each part is a request that may fail, be late, or be the last thing its worker did. */
import type {
  ObjectInfo,
  ObjectUpload,
  StoredRange,
} from "../../../shared/storage/object_store.ts";

/** Passes a call through the actor's gate. */
export type Semaphore = <T>(call: string, effect: () => Promise<T>) => Promise<T>;

/** See the module's head. */
export class GatedUpload implements ObjectUpload {
  #parts = 0;

  /** @param inTime throws when no request of this kind can come any more */
  constructor(
    private readonly upload: ObjectUpload,
    private readonly gate: Semaphore,
    private readonly inTime: () => Promise<void>,
  ) {}

  get heldBytes(): number {
    return this.upload.heldBytes;
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#part(() => this.upload.write(chunk));
  }

  copyFrom(range: StoredRange): Promise<boolean> {
    return this.#part(() => this.upload.copyFrom(range));
  }

  finish(): Promise<ObjectInfo> {
    return this.gate("finish", async () => {
      await this.inTime();
      return await this.upload.finish();
    });
  }

  async abort(): Promise<void> {
    await this.gate("abort", () => this.upload.abort()).catch(() => {});
  }

  /** A part that is sent twice replaces itself. */
  #part<T>(effect: () => Promise<T>): Promise<T> {
    let sent: Promise<T> | undefined;
    return this.gate(`part ${++this.#parts} of`, () => sent ??= effect());
  }
}
