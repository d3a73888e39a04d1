/**
 * The rows of `storage.objects`: what is known of each object, and who may do what with it, which row-level
 * security decides. The bytes lie in a VersionFolder under the row's `version`.
 */
import type { Sql } from "postgres";

import { orRefused, withScope } from "./database.ts";
import { StorageApiError } from "./errors.ts";
import type { Operation, Scope } from "./scope.ts";

/** `storage.objects.metadata`, in the words of the real API. */
export interface ObjectMetadata {
  /** MD5 of the body, hex, in quotes. */
  eTag: string;
  /** Bytes. */
  size: number;
  mimetype: string;
  cacheControl: string;
  /** ISO 8601. */
  lastModified: string;
  contentLength: number;
  httpStatusCode: number;
}

/** A row; SQL may have written any of it, or nothing of it. */
export interface ObjectRow {
  id: string;
  bucket_id: string;
  name: string;
  version: string | null;
  owner: string | null;
  owner_id: string | null;
  metadata: Partial<ObjectMetadata> | null;
  user_metadata: unknown;
  created_at: Date;
  updated_at: Date;
  last_accessed_at: Date;
}

/** Bucket and key. */
export interface Address {
  bucket: string;
  key: string;
}

/** A row of a listing; of a folder only the name is known. */
export type ListedRow =
  & Pick<ObjectRow, "name">
  & {
    [
      Key in "id" | "updated_at" | "created_at" | "last_accessed_at" | "metadata"
    ]: ObjectRow[Key] | null;
  };

/** What `/object/list` asks for. */
export interface SearchOptions {
  prefix: string;
  limit: number;
  offset: number;
  search: string;
  column: string;
  order: "asc" | "desc";
}

/** The rows of one stand-in. */
export class ObjectTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Throws `AccessDenied` or `KeyAlreadyExists` unless the caller may write the row; nothing is written. */
  async mayUpload(
    { role, claims, operation }: Scope,
    { bucket, key, owner, upsert }: Address & { owner?: string; upsert: boolean },
  ): Promise<void> {
    await orRefused(this.#sql`
      select storage_stand_in.may_upload(${role}, ${claims}, ${operation}, ${bucket}, ${key},
        ${owner ?? null}, ${upsert})`);
  }

  /** Points a key at a version whose bytes are there; the caller may, or it is the API's own doing. */
  async put(
    operation: Operation,
    { bucket, key, owner }: Address & { owner?: string },
    version: string,
    metadata: ObjectMetadata,
    userMetadata: unknown,
  ): Promise<{ id: string; previous: string | null }> {
    const [row] = await orRefused(this.#sql<{ id: string; previous: string | null }[]>`
      select * from storage_stand_in.put(${operation}, ${bucket}, ${key}, ${owner ?? null},
        ${version}, ${JSON.stringify(metadata)}::text::jsonb,
        ${userMetadata === undefined ? null : JSON.stringify(userMetadata)}::text::jsonb)`);
    return row;
  }

  /** The row, or null when there is none that the scope may see. */
  async find({ role, claims, operation }: Scope, { bucket, key }: Address) {
    const [row] = await orRefused(this.#sql<ObjectRow[]>`
      select id, bucket_id, name, version, owner, owner_id, metadata, user_metadata, created_at,
        updated_at, last_accessed_at
      from storage_stand_in.find(${role}, ${claims}, ${operation}, ${bucket}, ${key})`);
    return row ?? null;
  }

  /** Which of the keys are objects that the scope may see. */
  async findMany(scope: Scope, bucket: string, keys: string[]): Promise<Set<string>> {
    const rows = await withScope(this.#sql, scope, (tx) =>
      tx<{ name: string }[]>`
        select name from storage.objects where bucket_id = ${bucket} and name = any (${keys})`);
    return new Set(rows.map((row) => row.name));
  }

  /** Removes the rows that the scope may remove, and tells which. */
  async remove({ role, claims, operation }: Scope, bucket: string, keys: string[]) {
    return await orRefused(this.#sql<ObjectRow[]>`
      select id, bucket_id, name, version, owner, owner_id, metadata, user_metadata, created_at,
        updated_at, last_accessed_at
      from storage_stand_in.remove(${role}, ${claims}, ${operation}, ${bucket}, ${keys})`);
  }

  /** Whether there is such an object and the caller may give it the other name; nothing is written. */
  async mayMove(
    { role, claims, operation }: Scope,
    from: Address,
    to: Address & { owner?: string },
  ): Promise<boolean> {
    const [{ may }] = await orRefused(this.#sql<{ may: boolean }[]>`
      select storage_stand_in.may_move(${role}, ${claims}, ${operation}, ${from.bucket}, ${from.key},
        ${to.bucket}, ${to.key}, ${to.owner ?? null}) as may`);
    return may;
  }

  /** Gives the row that points at a version another name and version; null when it no longer does. */
  async move(
    operation: Operation,
    from: Address & { version: string },
    to: Address & { owner?: string; version: string },
    metadata: Partial<ObjectMetadata>,
  ): Promise<string | null> {
    const [{ id }] = await orRefused(this.#sql<{ id: string | null }[]>`
      select storage_stand_in.move(${operation}, ${from.bucket}, ${from.key}, ${from.version},
        ${to.bucket}, ${to.key}, ${to.owner ?? null}, ${to.version},
        ${JSON.stringify(metadata)}::text::jsonb) as id`);
    return id;
  }

  /** Files and folders of one level, as the scope may see them. */
  search(scope: Scope, bucket: string, options: SearchOptions): Promise<ListedRow[]> {
    const { prefix, limit, offset, search, column, order } = options;
    return withScope(this.#sql, scope, (tx) =>
      tx<ListedRow[]>`
        select * from storage.search(${prefix}, ${bucket}, ${limit}, ${prefix.split("/").length},
          ${offset}, ${search}, ${column}, ${order})`);
  }

  /**
   * Keys below a prefix in the order of their bytes, from the first that is greater than `after`.
   * @param folded whether what lies deeper is one row, a folder, whose name ends in `/` and whose id is null
   */
  list(
    scope: Scope,
    bucket: string,
    { prefix, after, limit, folded }: {
      prefix: string;
      after: string;
      limit: number;
      folded: boolean;
    },
  ): Promise<ListedRow[]> {
    return withScope(this.#sql, scope, (tx) => {
      // Behind every key that begins with the prefix: the last character of Unicode.
      const end = prefix + "\u{10ffff}";
      const within = tx`
        from storage.objects o
        where o.bucket_id = ${bucket} and o.name collate "C" >= ${prefix}
          and o.name collate "C" > ${after} and o.name collate "C" < ${end}`;
      if (!folded) {
        return tx<ListedRow[]>`
          select name, id, updated_at, created_at, last_accessed_at, metadata ${within}
          order by name collate "C" limit ${limit}`;
      }
      return tx<ListedRow[]>`
        with entries as (
          select *, substr(name, 1, length(${prefix}) + nullif(strpos(
            substr(name, length(${prefix}) + 1), '/'), 0)) as folder
          ${within}
        )
        select * from (
          select name, id, updated_at, created_at, last_accessed_at, metadata
          from entries where folder is null
          union all
          select distinct folder, null::uuid, null::timestamptz, null::timestamptz,
            null::timestamptz, null::jsonb
          from entries where folder collate "C" > ${after}
        ) page
        order by name collate "C" limit ${limit}`;
    });
  }

  /** Whether the bucket holds no object, past policies. */
  async isEmpty(bucket: string): Promise<boolean> {
    const rows = await this.#sql`
      select from storage.objects where bucket_id = ${bucket} limit 1`;
    return rows.length === 0;
  }

  /** Removes what the scope sees of a bucket, by slices; throws `AccessDenied` when it may not remove all of it. */
  async *clear(scope: Scope, bucket: string): AsyncGenerator<ObjectRow[]> {
    while (true) {
      const found = await this.list(scope, bucket, {
        prefix: "",
        after: "",
        limit: 1000,
        folded: false,
      });
      if (found.length === 0) return;
      const removed = await this.remove(scope, bucket, found.map((row) => row.name));
      yield removed;
      if (removed.length < found.length) throw new StorageApiError("AccessDenied");
    }
  }

  /** The versions that rows point at. */
  async versions(): Promise<Set<string>> {
    const [{ versions }] = await this.#sql<{ versions: string[] }[]>`
      select coalesce(array_agg(version), '{}') as versions
      from storage.objects where version is not null`;
    return new Set(versions);
  }
}
