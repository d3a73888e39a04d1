/** One slice of the check of the store: findings of before, a page of its list, bytes of some data files. */
import type { Catalog } from "../../catalog/catalog.ts";
import type { StoreSlice } from "../../catalog/upkeep_results.ts";
import type { Clock } from "../../clock.ts";
import { asSedimentError } from "../../errors.ts";
import type { ObjectStore } from "../../storage/object_store.ts";
import { wasmPrefix } from "../../wasm/wasm_modules.ts";
import { callCatalog } from "../run/call_catalog.ts";
import { bytesFault } from "./compare_bytes.ts";
import { difference, type Fault, lost, type Said } from "./object_fault.ts";

/** Ports of the check. */
export interface CheckPorts {
  catalog: Pick<
    Catalog,
    "beginStoreCheck" | "compareObjects" | "commitStoreCheck" | "findObjects"
  >;
  store: Pick<ObjectStore, "list" | "head" | "getRange">;
  clock: Pick<Clock, "now">;
}

/** Something that is not as the catalog says. */
export type Finding = Fault & { object_key: string };

type Suspect = StoreSlice["suspects"][number];

/** Keys of a page of the store's list. */
const pageSize = 1000;

/** Objects of a slice at which the store may fail: more are its own failure. */
const mostFailures = 3;

/** See the module's head. */
export class Slice {
  /** What its looks found. */
  readonly found: Finding[] = [];
  listed = 0;
  filesRead = 0;
  bytesRead = 0;
  readonly #sound: string[] = [];
  readonly #intact: number[] = [];
  readonly #etags: Record<string, string> = {};
  #failures = 0;

  /** @param end when it is to come to its end, by the clock */
  constructor(
    private readonly ports: CheckPorts,
    private readonly slice: StoreSlice,
    private readonly signal: AbortSignal,
    private readonly end: number,
  ) {}

  /**
   * Looks, and tells the catalog.
   *
   * @param left what of a full check is to come; what ends in this slice is taken off
   */
  async check(left: { list: boolean; bytes: boolean }) {
    const { slice } = this;
    await this.#lookAgain();
    const list = slice.list !== null && left.list ? await this.#comparePage(slice.list) : null;
    const read = slice.read !== null && left.bytes ? await this.#readFiles(slice.read) : null;
    const probed = await this.#probe();
    const told = {
      token: slice.token,
      list,
      read,
      found: this.found,
      sound: this.#sound,
      probed,
      intact: this.#intact,
      etags: this.#etags,
    };
    const answer = await callCatalog(
      this.signal,
      (stop) => this.ports.catalog.commitStoreCheck(told, stop),
    );
    if (list?.ended) left.list = false;
    if (read?.ended) left.bytes = false;
    return answer;
  }

  /** A page of the store's list beside the catalog's books, and what these say is stored and was not in it. */
  async #comparePage({ cursor, after }: { cursor: string | null; after: string }) {
    const { ports: { catalog, store }, signal } = this;
    const page = await store.list("", { cursor: cursor ?? undefined, limit: pageSize, signal });
    const last = page.cursor === undefined;
    const keys = page.objects.map(({ key }) => key);
    const compared = await callCatalog(
      signal,
      (stop) => catalog.compareObjects({ keys, after, last }, stop),
    );
    const known = new Map(compared.known.map((object) => [object.object_key, object]));
    for (const object of page.objects) {
      const said = known.get(object.key);
      const detail = `${object.size} bytes`;
      if (said === undefined) {
        if (!object.key.startsWith(wasmPrefix)) this.#tell(object.key, { kind: "unknown", detail });
      } else if (said.state === "stored") {
        this.#tell(object.key, difference(object, said));
      } else if (said.state === "tombstone" && await store.head(object.key, { signal }) !== null) {
        this.#tell(object.key, { kind: "undead", detail });
      }
    }
    for (const said of compared.absent) {
      const there = await store.head(said.object_key, { signal });
      const fault = there === null ? lost(said) : difference(there, said);
      if (fault !== null && await this.#isStored(said.object_key)) {
        this.#tell(said.object_key, fault);
      }
    }
    this.listed += page.objects.length;
    // where the catalog has more there than one slice takes, the same page is gone on with
    if (!compared.whole) return { cursor, after: compared.after, ended: false };
    return { cursor: page.cursor ?? null, after: compared.after, ended: last };
  }

  async #readFiles(read: { after: number; ended: boolean }) {
    const { ports: { store, clock }, slice: { files } } = this;
    let bytes = 0;
    for (const file of files) {
      const fault = await this.#unlessAlone(async () => {
        const fault = await bytesFault(store, file, this.signal);
        return fault && { ...fault, files: [file.id] };
      });
      if (fault !== null && await this.#isStored(file.object_key)) {
        this.#tell(file.object_key, fault);
      }
      bytes += file.byte_length;
      this.filesRead++;
      this.bytesRead += file.byte_length;
      if (file !== files.at(-1) && clock.now() >= this.end) {
        return { after: file.id, ended: false, bytes };
      }
    }
    return { ...read, bytes };
  }

  /** Findings of before: healed, or still there. */
  async #lookAgain(): Promise<void> {
    const { ports: { catalog, store, clock }, slice: { suspects }, signal } = this;
    if (suspects.length === 0) return;
    const keys = suspects.map(({ object_key }) => object_key);
    const { objects } = await callCatalog(signal, (stop) => catalog.findObjects({ keys }, stop));
    const known = new Map(objects.map((object) => [object.object_key, object]));
    for (const suspect of suspects) {
      const key = suspect.object_key;
      const said = known.get(key);
      let fault: Fault | null = null;
      if (said?.state === "stored") {
        fault = await this.#unlessAlone(() => this.#lookAtStored(suspect, said));
      } else if (said === undefined || said.state === "tombstone") {
        const there = await store.head(key, { signal });
        const kind = said === undefined ? "unknown" as const : "undead" as const;
        if (there !== null) fault = { kind, detail: `${there.size} bytes` };
      }
      if (fault === null) this.#sound.push(key);
      else this.#tell(key, fault);
      if (clock.now() >= this.end) return; // the others are the first of the next slice
    }
  }

  /** What is wrong with an object that should be there, and which of its files that concerns. */
  async #lookAtStored({ kind, files }: Suspect, said: Said): Promise<Fault | null> {
    const { ports: { store }, signal } = this;
    const there = await store.head(said.object_key, { signal });
    if (there === null) return { ...lost(said), files: files.map(({ id }) => id) };
    let worst: Fault | null = null;
    const wrong: number[] = [];
    for (const file of files) {
      const fault = await bytesFault(store, file, signal);
      if (fault === null) continue;
      wrong.push(file.id);
      worst ??= fault;
    }
    if (worst !== null) return { ...worst, files: wrong };
    const fault = difference(there, said);
    const compared = files.length > 0 && files.every(({ checksum }) => checksum !== null);
    if (fault !== null && !(compared && there.size === said.size)) return fault;
    // the bytes are what they were, whatever the store calls them now
    if (fault !== null) this.#etags[said.object_key] = there.etag;
    // nobody writes an object twice: one that is back under its ETag is the one that there was
    const isBack = kind === "lost" && Boolean(said.etag) && there.etag === said.etag;
    this.#intact.push(
      ...files.filter(({ checksum }) => checksum !== null || isBack).map(({ id }) => id),
    );
    return null;
  }

  /**
   * A look at one object. What the store fails of at this one, while another can be read, is said of this one, or the check
   * would never get past it; nothing follows from that, since nobody knows what its bytes are.
   *
   * @throws what the look throws, where it may be more than this object's
   */
  async #unlessAlone(look: () => Promise<Fault | null>): Promise<Fault | null> {
    try {
      return await look();
    } catch (thrown) {
      const error = asSedimentError(thrown);
      const ofStore = error.code === "store_failed" || error.code === "misconfigured";
      if (!ofStore || this.signal.aborted || ++this.#failures > mostFailures) throw error;
      if (await this.#isSound().catch(() => false) !== true) throw error;
      return { kind: "changed", detail: `it can't be read: ${error.message}` };
    }
  }

  #tell(object_key: string, fault: Fault | null): void {
    if (fault === null || this.found.some((other) => other.object_key === object_key)) return;
    this.found.push({ object_key, ...fault });
  }

  /** Whether the catalog still says so: what was deleted meanwhile is no loss. */
  async #isStored(key: string): Promise<boolean> {
    const { objects } = await callCatalog(
      this.signal,
      (stop) => this.ports.catalog.findObjects({ keys: [key] }, stop),
    );
    return objects[0]?.state === "stored";
  }

  /** {@link Slice.#isSound}, where something is missed. */
  async #probe(): Promise<boolean | null> {
    const missed = this.found.some(({ kind }) => kind === "lost" || kind === "changed");
    return missed ? await this.#isSound() : null;
  }

  /**
   * Whether a file of which nothing bad is known is as it was: else it may be another store.
   *
   * @returns null where there is none
   */
  async #isSound(): Promise<boolean | null> {
    const { slice: { sound }, ports: { store }, signal } = this;
    if (sound.length === 0) return null;
    for (const file of sound) {
      const fault = await bytesFault(store, file, signal);
      if (fault === null) return true;
      // it is none of those that nothing bad is known of any more
      this.#tell(file.object_key, fault);
    }
    return false;
  }
}
