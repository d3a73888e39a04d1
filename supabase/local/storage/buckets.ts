/** The buckets: rows of `storage.buckets`, which migrations make and policies guard as well. */
import type { Sql } from "postgres";

import { withScope } from "./database.ts";
import { StorageApiError } from "./errors.ts";
import { assertValidBucketName } from "./keys.ts";
import type { Scope } from "./scope.ts";

/** A bucket, with the columns of `storage.buckets` that matter here. */
export interface Bucket {
  id: string;
  name: string;
  public: boolean;
  /** Bytes; null when only the server's own limit holds. */
  file_size_limit: number | null;
  /** Patterns such as `image/*`; null or empty when all are allowed. */
  allowed_mime_types: string[] | null;
  created_at?: string | null;
  updated_at?: string | null;
}

/** What may be changed of a bucket. */
export type BucketSettings = Pick<Bucket, "public" | "file_size_limit" | "allowed_mime_types">;

/** How long a row that was read is believed; SQL may change it behind our back. */
const cacheMilliseconds = 500;

/** The buckets of one stand-in. */
export class BucketTable {
  readonly #sql: Sql;
  readonly #cache = new Map<string, { bucket: Bucket; until: number }>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The bucket, past policies: for its rules, and whether it is public. */
  async known(id: string): Promise<Bucket | null> {
    const cached = this.#cache.get(id);
    if (cached && cached.until > Date.now()) return cached.bucket;
    const [row] = await this.#sql<{ bucket: Bucket }[]>`
      select to_jsonb(b) as bucket from storage.buckets b where b.id = ${id}`;
    this.#cache.delete(id);
    if (!row) return null;
    this.#cache.set(id, { bucket: row.bucket, until: Date.now() + cacheMilliseconds });
    return row.bucket;
  }

  /** The bucket, or null when there is none that the scope may see. */
  async find(scope: Scope, id: string): Promise<Bucket | null> {
    const [row] = await withScope(this.#sql, scope, (tx) =>
      tx<{ bucket: Bucket }[]>`
        select to_jsonb(b) as bucket from storage.buckets b where b.id = ${id}`);
    return row?.bucket ?? null;
  }

  /** The buckets that the scope may see. */
  async all(scope: Scope): Promise<Bucket[]> {
    const rows = await withScope(this.#sql, scope, (tx) =>
      tx<{ bucket: Bucket }[]>`
        select to_jsonb(b) as bucket from storage.buckets b order by b.name`);
    return rows.map((row) => row.bucket);
  }

  /** Throws `BucketAlreadyExists`, or `AccessDenied` when the scope may not. */
  async insert(
    scope: Scope,
    bucket: { id: string; name: string; owner?: string } & BucketSettings,
  ): Promise<void> {
    const owner = bucket.owner ?? null;
    try {
      await withScope(this.#sql, scope, (tx) =>
        tx`
          insert into storage.buckets
            (id, name, owner, owner_id, public, file_size_limit, allowed_mime_types)
          values (${bucket.id}, ${bucket.name},
            case when pg_input_is_valid(${owner}, 'uuid') then ${owner}::uuid end, ${owner},
            ${bucket.public}, ${bucket.file_size_limit}, ${bucket.allowed_mime_types})`);
    } catch (thrown) {
      const taken = thrown instanceof StorageApiError && thrown.code === "KeyAlreadyExists";
      throw taken ? new StorageApiError("BucketAlreadyExists") : thrown;
    }
  }

  /** Whether there was such a bucket that the scope may change. */
  async update(scope: Scope, id: string, settings: Partial<BucketSettings>): Promise<boolean> {
    const has = (key: keyof BucketSettings) => settings[key] !== undefined;
    const rows = await withScope(this.#sql, scope, (tx) =>
      tx`
        update storage.buckets set
          public = case when ${has("public")} then ${settings.public ?? false} else public end,
          file_size_limit = case when ${has("file_size_limit")}
            then ${settings.file_size_limit ?? null}::bigint else file_size_limit end,
          allowed_mime_types = case when ${has("allowed_mime_types")}
            then ${settings.allowed_mime_types ?? null}::text[] else allowed_mime_types end
        where id = ${id} returning id`);
    this.#cache.delete(id);
    return rows.length > 0;
  }

  /** Whether there was such a bucket that the scope may remove. */
  async remove(scope: Scope, id: string): Promise<boolean> {
    const rows = await withScope(this.#sql, scope, (tx) =>
      tx`
        delete from storage.buckets where id = ${id} returning id`);
    this.#cache.delete(id);
    return rows.length > 0;
  }
}

/** The bucket, or `NoSuchBucket`. */
export async function requireBucket(table: BucketTable, id: string): Promise<Bucket> {
  assertValidBucketName(id);
  const bucket = await table.known(id);
  if (!bucket) throw new StorageApiError("NoSuchBucket");
  return bucket;
}

/** Throws `InvalidMimeType` unless the bucket allows it; `type/*` allows all of a type. */
export function assertAllowedMimeType(bucket: Bucket, mimetype: string): void {
  const allowed = bucket.allowed_mime_types ?? [];
  if (allowed.length === 0) return;
  const [type, subtype] = mimetype.split(";")[0].trim().split("/");
  const fits = allowed.some((pattern) => {
    const [wantedType, wantedSubtype] = pattern.split("/");
    return wantedType === type && (wantedSubtype === "*" || wantedSubtype === subtype);
  });
  if (!fits) {
    throw new StorageApiError("InvalidMimeType", `mime type ${mimetype} is not supported`);
  }
}

/** `20GB`, `20MB`, `30KB`, `3B` (powers of ten, as the real API) or a number, in bytes. */
export function parseSizeLimit(value: unknown): number | null | undefined {
  if (value === undefined || value === null) return value;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  const match = typeof value === "string" &&
    /^([0-9]+(?:\.[0-9]+)?)(gb|mb|kb|b)$/i.exec(value);
  if (!match) {
    throw new StorageApiError(
      "InvalidRequest",
      "Invalid file size format, hint: use 20GB / 20MB / 30KB / 3B",
    );
  }
  const unit = { gb: 1e9, mb: 1e6, kb: 1e3, b: 1 }[match[2].toLowerCase()]!;
  return Math.round(Number(match[1]) * unit);
}
