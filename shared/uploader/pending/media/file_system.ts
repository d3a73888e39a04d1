/**
 * The port to a file system, as far as the pending folder needs one. `node_file_system.ts` is the real
 * one; the simulation has one that fails, tears writes and forgets what was not synced.
 */
import type { Hasher } from "../../sha256.ts";

/** What a name stands for. Symbolic links are never followed. */
export type EntryKind = "file" | "folder" | "link" | "other";

/** A file that is being written. */
export interface NewFile {
  /** Appends all of the bytes. */
  write(bytes: Uint8Array): Promise<void>;
  /** Returns when the bytes are on the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** All errors carry the system's `code` (ENOSPC, EACCES, …). */
export interface FileSystem {
  /** Makes a folder and its parents, for the owner only; there already is no error. */
  makeFolder(path: string): Promise<void>;
  list(path: string): Promise<{ name: string; kind: EntryKind }[]>;
  /** A new file, for the owner only; EEXIST when there is one. */
  create(path: string): Promise<NewFile>;
  /** Text of a file, or null when there is none. */
  readText(path: string): Promise<string | null>;
  /** Many small files at once: for each its text, null when there is none, or the error. */
  readTexts(paths: string[]): Promise<(string | null | Error)[]>;
  /** Bytes [start, end) of a file. */
  readBytes(path: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  /** What is there, links not followed; null when nothing is. */
  stat(path: string): Promise<{ size: number; modifiedMs: number; kind: EntryKind } | null>;
  /** Puts one file in another's place, at once. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; none there is no error. */
  unlink(path: string): Promise<void>;
  /** Sets the time of change to now. */
  touch(path: string): Promise<void>;
  /** Returns when names made, renamed and removed in the folder are on the disk. */
  syncFolder(path: string): Promise<void>;
  /** An incremental SHA-256. */
  hasher(): Hasher;
}

/** The system's code of an error, or "". */
export function systemCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}
