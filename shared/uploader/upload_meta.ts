/** What an upload is, beside its bytes: a fragment of one or many tables, or an asset. */
import * as z from "zod";
import { SedimentError } from "../errors.ts";
import { sha256 } from "./sha256.ts";

/** Names of tables and period tags, as the service has them (DESIGN section 4). */
export const namePattern = /^[A-Za-z0-9_-]{1,64}$/;
const name = z.string().regex(namePattern, `expected ${namePattern.source}`);

const tableOffset = z.strictObject({
  table_name: name,
  start_byte: z.int().min(0),
  byte_length: z.int().min(1),
  format: z.enum(["parquet", "avro"]),
  num_rows: z.int().min(0).optional(),
});

/** One table inside a body that concatenates several. */
export type TableOffset = z.infer<typeof tableOffset>;

const fragmentMeta = z.strictObject({
  kind: z.literal("fragment"),
  dataset_id: z.guid("expected a UUID"),
  table: name,
  period_tag: name.default("0"),
  format: z.enum(["parquet", "avro"]).optional(),
  /** The tables of a concatenated body; left out when the body is one table. */
  table_offsets: z.array(tableOffset).min(1).optional(),
  /** Where the bytes came from, for people; takes no part in the identity. */
  file_name: z.string().max(1024).optional(),
});

const assetMeta = z.strictObject({
  kind: z.literal("asset"),
  key: z.string().min(1).max(512),
  relative_path: z.string().max(1024),
  file_name: z.string().max(255),
  content_type: z.string().max(255).optional(),
});

/** zod schema of {@link UploadMeta}. */
export const uploadMeta = z.discriminatedUnion("kind", [fragmentMeta, assetMeta]);
/** What callers give; names are checked, `period_tag` defaults to "0". */
export type UploadMetaInput = z.input<typeof uploadMeta>;
/** Checked meta. */
export type UploadMeta = z.infer<typeof uploadMeta>;

/**
 * Checks meta and writes paths one way: separators of Windows become `/`, names of macOS (decomposed
 * Unicode) become composed, so that one file has one identity whatever machine named it.
 *
 * @throws `invalid_request` that names the field, its value and what was expected
 */
export function checkMeta(input: UploadMetaInput): UploadMeta {
  const parsed = uploadMeta.safeParse(input);
  if (!parsed.success) throw invalid(parsed.error, input);
  const meta = parsed.data;
  if (meta.kind === "fragment") {
    return meta.file_name === undefined
      ? meta
      : { ...meta, file_name: plainPath(meta.file_name).split("/").at(-1) };
  }
  const key = plainPath(meta.key), relative_path = plainPath(meta.relative_path);
  for (const [field, value] of [["key", key], ["relative_path", relative_path]]) {
    const bad = value.startsWith("/") || /^[A-Za-z]:/.test(value) || value.includes("\0") ||
      value.split("/").some((part) => part === ".." || part === "." || part === "");
    if (bad) {
      throw new SedimentError("invalid_request", `${field} is ${JSON.stringify(value)}`, {
        field,
        expected: "a relative path without '.', '..' and empty parts",
      });
    }
  }
  return { ...meta, key, relative_path, file_name: plainPath(meta.file_name).split("/").at(-1)! };
}

/**
 * The one identity of a pending item (DESIGN section 9): target, dataset, table, period, offsets and
 * hash; for assets key and hash. 32 hex digits, and the item's file name: two items of one identity
 * can't exist, whatever crashes, because the file system itself refuses the second.
 */
export function identityOf(targetUrl: string, meta: UploadMeta, contentHash: string): string {
  const parts = meta.kind === "asset" ? ["asset", targetUrl, meta.key, contentHash] : [
    "fragment",
    targetUrl,
    meta.dataset_id.toLowerCase(),
    meta.table,
    meta.period_tag,
    contentHash,
  ]
    .concat((meta.table_offsets ?? []).map(offsetText));
  return sha256(JSON.stringify(parts)).slice(0, 32);
}

function offsetText(offset: TableOffset): string {
  return JSON.stringify([
    offset.table_name,
    offset.start_byte,
    offset.byte_length,
    offset.format,
    offset.num_rows ?? null,
  ]);
}

function plainPath(path: string): string {
  return path.replaceAll("\\", "/").normalize("NFC");
}

function invalid(error: z.ZodError, input: unknown): SedimentError {
  const issue = error.issues[0];
  const field = issue.path.join(".") || "meta";
  let value: unknown = input;
  for (const part of issue.path) value = (value as Record<PropertyKey, unknown>)?.[part];
  const seen = JSON.stringify(value)?.slice(0, 200) ?? "missing";
  return new SedimentError("invalid_request", `${field} is ${seen}: ${issue.message}`, {
    field,
    expected: issue.message,
  });
}
