/** Bytes whose records were removed: they go in the background, and one sync of the folder serves many. */
import type { PendingMedium } from "./pending_medium.ts";
import { locked } from "./store_guard.ts";

/** See the file's head. What fails here is an orphan, and removed at the next start. */
export class RemovedBytes {
  readonly #medium: PendingMedium;
  readonly #ids = new Set<string>();
  #tidying: Promise<void> | null = null;

  constructor(medium: PendingMedium) {
    this.#medium = medium;
  }

  add(id: string): void {
    this.#ids.add(id);
    this.#tidying ??= this.#tidy();
  }

  /** Returns when what was added is gone. */
  async settled(): Promise<void> {
    await this.#tidying;
  }

  async #tidy(): Promise<void> {
    const medium = this.#medium;
    try {
      while (this.#ids.size > 0) {
        await locked(medium, async () => {
          const ids = [...this.#ids];
          this.#ids.clear();
          const gone: string[] = [];
          for (const id of ids) if (await medium.read(id) === null) gone.push(id);
          await medium.removeBytes(gone);
        });
      }
    } catch {
      /* see above */
    } finally {
      this.#tidying = null;
    }
  }
}
