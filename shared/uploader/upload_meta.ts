/** What an upload is, beside its bytes: a fragment of one or many tables, or an asset. */
import * as z from "zod/mini";
import { SedimentError } from "../errors.ts";
import { assetFileNameSchema, assetPathSchema } from "../protocol/asset.ts";
import { datasetIdSchema, nameSchema } from "../protocol/fields.ts";
import { noPeriod } from "../protocol/names.ts";
import { sliceFault } from "../protocol/slices.ts";
import { formatSchema, offsetListSchema } from "../protocol/upload.ts";
import { validate } from "../protocol/validate.ts";
import { sha256 } from "./sha256.ts";

const label = (most: number) =>
  z.string("a string").check(z.maxLength(most, `at most ${most} characters`));

const fragmentMeta = z.strictObject({
  kind: z.enum(["fragment"]),
  dataset_id: datasetIdSchema,
  table: nameSchema,
  period_tag: z._default(nameSchema, noPeriod),
  format: z.optional(formatSchema),
  /** The tables of a concatenated body; left out when the body is one table. */
  table_offsets: z.optional(offsetListSchema),
  /** Where the bytes came from, for people; takes no part in the identity. */
  file_name: z.optional(label(1024)),
});

const assetMeta = z.strictObject({
  kind: z.enum(["asset"]),
  key: assetPathSchema,
  relative_path: assetPathSchema,
  file_name: assetFileNameSchema,
  content_type: z.optional(label(255)),
});

const kindOnly = z.object({ kind: z.enum(["fragment", "asset"], '"fragment" or "asset"') });

/**
 * The shape of {@link UploadMeta} in records. It has no rules of the names: whatever an earlier version took is kept,
 * and the service says what it thinks of it.
 */
export const uploadMeta = z.union([
  z.strictObject({
    ...fragmentMeta.shape,
    dataset_id: z.string(),
    table: z.string(),
    period_tag: z._default(z.string(), noPeriod),
    table_offsets: z.optional(z.array(z.strictObject({
      table_name: z.string(),
      start_byte: z.number(),
      byte_length: z.number(),
      format: z._default(formatSchema, "parquet"),
      num_rows: z.optional(z.number()),
    }))),
  }),
  z.strictObject({
    ...assetMeta.shape,
    key: z.string(),
    relative_path: z.string(),
    file_name: z.string(),
  }),
]);
/** What callers give; names are checked, `period_tag` defaults to "0". */
export type UploadMetaInput = z.input<typeof fragmentMeta> | z.input<typeof assetMeta>;
/** Checked meta. */
export type UploadMeta = z.output<typeof fragmentMeta> | z.output<typeof assetMeta>;
/** One table inside a body that concatenates several. */
export type TableOffset = z.output<typeof offsetListSchema>[number];

/**
 * Checks meta by the rules of the service (shared/protocol), and writes paths one way: separators of Windows become
 * `/`, names of macOS (decomposed Unicode) become composed, so that one file has one identity whatever machine named it.
 *
 * @throws `invalid_request`, `invalid_name` or `invalid_offsets`, with the field, its value and what was expected
 */
export function checkMeta(input: UploadMetaInput): UploadMeta {
  const plain = withPlainPaths(input);
  const { kind } = validate(kindOnly, plain);
  const meta: UploadMeta = kind === "asset"
    ? validate(assetMeta, plain)
    : validate(fragmentMeta, plain);
  const fault = meta.kind === "fragment" && meta.table_offsets
    ? sliceFault(meta.table_offsets)
    : null;
  if (fault !== null) {
    const { field, detail, expected } = fault;
    throw new SedimentError("invalid_offsets", detail, { field, expected });
  }
  return meta;
}

function withPlainPaths(input: UploadMetaInput): unknown {
  const plain: Record<string, unknown> = { ...input };
  for (const field of ["key", "relative_path", "file_name"]) {
    if (typeof plain[field] === "string") plain[field] = plainPath(plain[field]);
  }
  if (typeof plain.file_name === "string") plain.file_name = plain.file_name.split("/").at(-1);
  return plain;
}

/**
 * The one identity of a pending item: target, dataset, table, period, offsets and
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
