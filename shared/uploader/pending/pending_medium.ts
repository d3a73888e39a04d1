/**
 * The small port below the pending store: named pairs of bytes and record. Adapters: `folder_medium.ts`
 * (disk, Deno and Node) and `indexeddb_medium.ts` (browsers). They know how to be atomic and durable;
 * what a record means is the store's business.
 */

/** What can be uploaded. Streams are read once and spooled, so memory stays bounded. */
export type ByteSource =
  | Uint8Array
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>;

/** Bytes that are written down but belong to no item yet. */
export interface StagedBytes {
  size: number;
  /** SHA-256, lower-case hex. */
  sha256: string;
  /** Forgets the bytes; does nothing after a commit. */
  discard(): Promise<void>;
}

/** Bytes of an item. */
export interface StoredBytes {
  size: number;
  /** All of it. */
  read(): Promise<Uint8Array<ArrayBuffer>>;
  /** Bytes [start, end). */
  slice(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  /** SHA-256 of what is there now, lower-case hex. */
  sha256(): Promise<string>;
}

/** A record that a scan came by. */
export interface ScannedRecord {
  id: string;
  text: string;
  hasBytes: boolean;
}

/** What a scan found beside records. */
export interface MediumScan {
  /** Records that could not be read, with the system's reason. */
  unreadable: { id: string; reason: string }[];
  /** Ids of bytes without a record: a save that was not finished, or a removal that was not. */
  orphans: string[];
  /** Names that aren't ours (or are symbolic links): left alone. */
  foreign: string[];
}

/** A lock that is held. */
export interface HeldLock {
  release(): Promise<void>;
}

/** Options of {@link PendingMedium.lock}. */
export interface LockOptions {
  /** Wait for the lock; else answer null when it is taken. @default true */
  wait?: boolean;
  signal?: AbortSignal;
}

/** The port. All methods may throw the system's errors; the store turns them into `SedimentError`s. */
export interface PendingMedium {
  /** For logs: the folder or database. */
  readonly name: string;
  /** This instance, as claims write it down. */
  readonly owner: string;
  /** Whether the owner of a claim lives: null when that can't be known. */
  isAlive(owner: string): boolean | null;
  /** Writes bytes down, durably, without making them visible. `limit` in bytes: throws above it. */
  stage(source: ByteSource, limit: number): Promise<StagedBytes>;
  /** Digest of bytes in memory, so that a duplicate costs no write. */
  digest(bytes: Uint8Array): Promise<string>;
  /** Makes bytes and record visible as one: after it returns, both survive anything. Under the lock. */
  commit(id: string, staged: StagedBytes, text: string): Promise<void>;
  /** Shows every record, in no order, a few at a time: thousands of texts are never held together. */
  scan(visit: (record: ScannedRecord) => void): Promise<MediumScan>;
  /** A record's text; null when there is none. */
  read(id: string): Promise<string | null>;
  /**
   * Replaces a record at once or not at all. A power cut may bring the old one back, never a torn one.
   */
  write(id: string, text: string): Promise<void>;
  /** Puts a broken record's text aside, beside the item, so that nothing is lost. Under the lock. */
  setAside(id: string): Promise<void>;
  /** Bytes of an item; null when there are none (or a symbolic link is in their place). */
  bytes(id: string): Promise<StoredBytes | null>;
  /** Removes a record. Its bytes may stay until {@link removeBytes}. Under the lock. */
  remove(id: string): Promise<void>;
  /** Removes bytes whose records are gone, after that is durable. Under the lock. */
  removeBytes(ids: string[]): Promise<void>;
  /** Removes what unfinished saves of dead processes left. Under the lock. */
  sweep(): Promise<number>;
  /** Small state beside the items (the park). */
  readNote(name: string): Promise<string | null>;
  writeNote(name: string, text: string | null): Promise<void>;
  /** A lock among all processes (tabs) that share the medium. */
  lock(name: string, options?: LockOptions): Promise<HeldLock | null>;
  close(): Promise<void>;
}
