/**
 * Compares what the catalog names with what the store holds, slice by slice: keys, sizes and ETags along the store's list,
 * bytes with their checksums along the data files. Where it has come to and what it found is in the catalog
 * (`store_check`, `store_findings`), so that whoever comes next goes on there. It mends nothing by itself.
 */
import type { Catalog } from "../../catalog/catalog.ts";
import type { StoreSlice } from "../../catalog/upkeep_results.ts";
import type { Clock } from "../../clock.ts";
import type { ListedObject, ObjectStore } from "../../storage/object_store.ts";
import { wasmPrefix } from "../../wasm/wasm_modules.ts";
import { callCatalog } from "../run/call_catalog.ts";
import { bytesFault } from "./compare_bytes.ts";

/** Ports of the check. */
export interface CheckPorts {
  catalog: Pick<
    Catalog,
    "beginStoreCheck" | "compareObjects" | "commitStoreCheck" | "findObjects"
  >;
  store: Pick<ObjectStore, "list" | "head" | "getRange">;
  clock: Pick<Clock, "now">;
}

/** Something that is not as the catalog says; the kinds: `store_findings`. */
export interface Finding {
  object_key: string;
  kind: "lost" | "changed" | "unknown" | "undead";
  detail: string;
}

/** Bounds of a check. */
export interface CheckOptions {
  /** No further slice is begun after this many seconds. */
  seconds: number;
  /** Until the list's pass and the walk over all bytes have ended, due or not. @default false */
  full?: boolean;
  /** From the beginning, in place of where the last check stopped. @default false */
  restart?: boolean;
  signal?: AbortSignal;
}

/** What a check did. */
export interface CheckReport {
  slices: number;
  /** Objects of the store's list. */
  listed: number;
  files_read: number;
  bytes_read: number;
  /** What its own looks found, the first thousand. */
  found: Finding[];
  /** Findings that a second look has confirmed, also of checks before. */
  open: number;
  /** Why it ended; `done` where all of a full one was gone over. */
  stopped: "done" | "time" | "busy" | "breaker_open" | "not_due";
}

/** Keys of a page of the store's list. */
const pageSize = 1000;

/** Findings that are told; all are in the catalog. */
const mostTold = 1000;

/**
 * Checks. Runs beside uploads and compaction: what is put or deleted meanwhile is asked about again before it is called a
 * finding.
 *
 * @throws SedimentError as the ports do; what was noted stays, and the slice is looked at again
 */
export async function checkStore(ports: CheckPorts, options: CheckOptions): Promise<CheckReport> {
  const { full = false, signal = new AbortController().signal } = options;
  const end = ports.clock.now() + options.seconds * 1000;
  const report: CheckReport = {
    slices: 0,
    listed: 0,
    files_read: 0,
    bytes_read: 0,
    found: [],
    open: 0,
    stopped: "time",
  };
  const left = { list: true, bytes: true };
  let restart = options.restart ?? false;
  while (ports.clock.now() < end) {
    const slice = await callCatalog(
      signal,
      (stop) => ports.catalog.beginStoreCheck({ full, restart }, stop),
    );
    if (!slice.claimed) {
      report.stopped = slice.reason;
      break;
    }
    restart = false;
    await new Slice(ports, slice, report, signal, end).check(left);
    if (full && !left.list && !left.bytes) {
      report.stopped = "done";
      break;
    }
  }
  return report;
}

class Slice {
  readonly #found: Finding[] = [];
  readonly #sound: string[] = [];

  constructor(
    private readonly ports: CheckPorts,
    private readonly slice: StoreSlice,
    private readonly report: CheckReport,
    private readonly signal: AbortSignal,
    private readonly end: number,
  ) {}

  /** @param left what of a full check is to come; what ends in this slice is taken off */
  async check(left: { list: boolean; bytes: boolean }): Promise<void> {
    const { slice, report } = this;
    await this.#lookAgain();
    const list = slice.list !== null && left.list ? await this.#comparePage(slice.list) : null;
    const read = slice.read !== null && left.bytes ? await this.#readFiles(slice.read) : null;
    const { token } = slice;
    const { open } = await callCatalog(
      this.signal,
      (stop) =>
        this.ports.catalog.commitStoreCheck(
          { token, list, read, found: this.#found, sound: this.#sound },
          stop,
        ),
    );
    if (list?.ended) left.list = false;
    if (read?.ended) left.bytes = false;
    report.slices++;
    report.open = open;
    report.found.push(...this.#found.slice(0, mostTold - report.found.length));
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
      const fault = await this.#faultOf(said);
      if (fault !== null && await this.#isStored(said.object_key)) {
        this.#tell(said.object_key, fault);
      }
    }
    this.report.listed += page.objects.length;
    // where the catalog has more there than one slice takes, the same page is gone on with
    if (!compared.whole) return { cursor, after: compared.after, ended: false };
    return { cursor: page.cursor ?? null, after: compared.after, ended: last };
  }

  async #readFiles(read: { after: number; ended: boolean }) {
    const { ports: { store, clock }, slice: { files }, report } = this;
    let bytes = 0;
    for (const file of files) {
      const fault = await bytesFault(store, file, this.signal);
      if (fault !== null && await this.#isStored(file.object_key)) {
        this.#tell(file.object_key, fault);
      }
      bytes += file.byte_length;
      report.files_read++;
      report.bytes_read += file.byte_length;
      if (file !== files.at(-1) && clock.now() >= this.end) {
        return { after: file.id, ended: false, bytes };
      }
    }
    return { ...read, bytes };
  }

  /** Findings of before: healed, or still there. */
  async #lookAgain(): Promise<void> {
    const { ports: { catalog, store }, slice: { suspects }, signal } = this;
    if (suspects.length === 0) return;
    const keys = suspects.map(({ object_key }) => object_key);
    const { objects } = await callCatalog(signal, (stop) => catalog.findObjects({ keys }, stop));
    const known = new Map(objects.map((object) => [object.object_key, object]));
    for (const { object_key: key, files } of suspects) {
      const said = known.get(key);
      let fault: Omit<Finding, "object_key"> | null = null;
      if (said?.state === "stored") {
        fault = await this.#faultOf(said);
        for (const file of files) fault ??= await bytesFault(store, file, signal);
      } else if (said === undefined || said.state === "tombstone") {
        const there = await store.head(key, { signal });
        const kind = said === undefined ? "unknown" as const : "undead" as const;
        if (there !== null) fault = { kind, detail: `${there.size} bytes` };
      }
      if (fault === null) this.#sound.push(key);
      else this.#tell(key, fault);
    }
  }

  #tell(object_key: string, fault: Omit<Finding, "object_key"> | null): void {
    if (fault === null || this.#found.some((other) => other.object_key === object_key)) return;
    this.#found.push({ object_key, ...fault });
  }

  /** What is wrong with an object that should be there, as far as the store tells without its bytes. */
  async #faultOf(said: Said & { object_key: string }) {
    const there = await this.ports.store.head(said.object_key, { signal: this.signal });
    if (there !== null) return difference(there, said);
    return { kind: "lost" as const, detail: `${said.size} bytes were stored` };
  }

  /** Whether the catalog still says so: what was deleted meanwhile is no loss. */
  async #isStored(key: string): Promise<boolean> {
    const { objects } = await callCatalog(
      this.signal,
      (stop) => this.ports.catalog.findObjects({ keys: [key] }, stop),
    );
    return objects[0]?.state === "stored";
  }
}

type Said = { size: number | null; etag: string | null };

function difference(
  found: Pick<ListedObject, "size" | "etag">,
  said: Said,
): { kind: "changed"; detail: string } | null {
  if (said.size !== null && said.size !== found.size) {
    return { kind: "changed", detail: `${found.size} bytes, and ${said.size} were stored` };
  }
  // Some stores list no entity tags; an empty one says nothing.
  if (said.etag && found.etag && said.etag !== found.etag) {
    return { kind: "changed", detail: `ETag ${found.etag}, and ${said.etag} was stored` };
  }
  return null;
}
