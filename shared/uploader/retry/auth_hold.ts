/** Notes on disk that the service is parked, so that a restart with a session that was refused makes no request. */
import type { PendingStore } from "../pending/pending_store.ts";
import type { Park } from "./service_machine.ts";

/** What a note about one server is called. */
export function authHoldNameOf(what: string, url: string): string {
  return `${what}-${new URL(url).origin.replaceAll(/[^A-Za-z0-9]+/g, "-")}`;
}

/** See the file's head. */
export class AuthHoldFile {
  readonly #store: PendingStore;
  readonly #name: string;
  /** Whether one is written down. */
  #there = false;

  constructor(store: PendingStore, origin: string) {
    this.#store = store;
    this.#name = authHoldNameOf("park", origin);
  }

  /** What an earlier process left; null when there is nothing that can be read. */
  async read(): Promise<Park | null> {
    const note = await this.#store.readNote(this.#name) as Partial<Park> | null;
    if (
      typeof note?.streak !== "number" || typeof note.resumeAt !== "number" ||
      typeof note.refused !== "string"
    ) return null;
    this.#there = true;
    return note as Park;
  }

  /** Null removes the note. A full disk must not fail the batch: all that a note does is spare requests after a restart. */
  async write(park: Park | null): Promise<void> {
    if (park === null && !this.#there) return;
    this.#there = park !== null;
    await this.#store.writeNote(this.#name, park).catch(() => {});
  }
}
