/** The buckets: rows of the real table `storage.buckets`, so that migrations can make them. */
import type { Sql } from "postgres";

import { StorageApiError } from "./errors.ts";
import { assertValidBucketName } from "./keys.ts";

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

/** Where buckets are kept. */
export interface BucketTable {
  find(id: string): Promise<Bucket | null>;
  all(): Promise<Bucket[]>;
  /** Throws `BucketAlreadyExists`. */
  insert(bucket: { id: string; name: string } & BucketSettings): Promise<void>;
  /** Whether there was such a bucket. */
  update(id: string, settings: Partial<BucketSettings>): Promise<boolean>;
  /** Whether there was such a bucket. */
  remove(id: string): Promise<boolean>;
}

/** How long a row that was read is believed; SQL may change it behind our back. */
const cacheMilliseconds = 500;

/** The buckets in the database of a running stack. */
export function createBucketTable(sql: Sql): BucketTable {
  const cache = new Map<string, { bucket: Bucket; until: number }>();
  return {
    async find(id) {
      const cached = cache.get(id);
      if (cached && cached.until > Date.now()) return cached.bucket;
      const [row] = await sql<{ bucket: Bucket }[]>`
        select to_jsonb(b) as bucket from storage.buckets b where b.id = ${id}`;
      cache.delete(id);
      if (!row) return null;
      cache.set(id, { bucket: row.bucket, until: Date.now() + cacheMilliseconds });
      return row.bucket;
    },
    async all() {
      const rows = await sql<{ bucket: Bucket }[]>`
        select to_jsonb(b) as bucket from storage.buckets b order by b.name`;
      return rows.map((row) => row.bucket);
    },
    async insert(bucket) {
      const rows = await sql`
        insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
        values (${bucket.id}, ${bucket.name}, ${bucket.public}, ${bucket.file_size_limit},
          ${bucket.allowed_mime_types})
        on conflict do nothing returning id`;
      if (rows.length === 0) throw new StorageApiError("BucketAlreadyExists");
    },
    async update(id, settings) {
      cache.delete(id);
      const has = (key: keyof BucketSettings) => settings[key] !== undefined;
      const rows = await sql`
        update storage.buckets set
          public = case when ${has("public")} then ${settings.public ?? false} else public end,
          file_size_limit = case when ${has("file_size_limit")}
            then ${settings.file_size_limit ?? null}::bigint else file_size_limit end,
          allowed_mime_types = case when ${has("allowed_mime_types")}
            then ${settings.allowed_mime_types ?? null}::text[] else allowed_mime_types end
        where id = ${id} returning id`;
      return rows.length > 0;
    },
    async remove(id) {
      cache.delete(id);
      const rows = await sql`delete from storage.buckets where id = ${id} returning id`;
      return rows.length > 0;
    },
  };
}

/** Buckets in memory, for tests of the stand-in without a database. */
export function createMemoryBucketTable(): BucketTable {
  const buckets = new Map<string, Bucket>();
  return {
    find: (id) => Promise.resolve(buckets.get(id) ?? null),
    all: () => Promise.resolve([...buckets.values()]),
    insert(bucket) {
      if (buckets.has(bucket.id)) return Promise.reject(new StorageApiError("BucketAlreadyExists"));
      const now = new Date().toISOString();
      buckets.set(bucket.id, { ...bucket, created_at: now, updated_at: now });
      return Promise.resolve();
    },
    update(id, settings) {
      const bucket = buckets.get(id);
      if (bucket) Object.assign(bucket, settings);
      return Promise.resolve(bucket !== undefined);
    },
    remove: (id) => Promise.resolve(buckets.delete(id)),
  };
}

/** The bucket, or `NoSuchBucket`. */
export async function requireBucket(table: BucketTable, id: string): Promise<Bucket> {
  assertValidBucketName(id);
  const bucket = await table.find(id);
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
