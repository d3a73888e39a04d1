/** Step 1 of an upload: a key is planned for bytes that are still to come. */
import * as z from "zod";
import { offsetsDigest, offsetsOf } from "./digests.ts";
import type { UploadAnswer, UploadPorts } from "./ports.ts";
import type { Slice } from "./slices.ts";
import type { UploadRequest } from "./upload_request.ts";

/** A planned upload, complete enough that receiving its bytes needs no look-up. */
export interface StagedUpload {
  stageId: string;
  userId: string;
  objectKey: string;
  request: UploadRequest;
  /** Whether the ledger already held this upload when it was staged. */
  duplicate: boolean;
}

/** A planned upload and what the catalog says of it. */
export interface StageOutcome {
  staged: StagedUpload;
  /** Of a direct upload: the key to which the client sends the bytes. */
  incomingKey: string | null;
  /** The first answer, when these bytes were already acknowledged. */
  firstAnswer: UploadAnswer | null;
}

/** How an upload is planned. */
export interface StageOptions {
  /** Until when the bytes may be acknowledged, seconds from now. */
  ttlSeconds: number;
  /** Whether the client sends the bytes to the store itself. @default false */
  direct?: boolean;
  /** The client's name for this upload; another upload under the same one is refused. */
  idempotencyKey?: string;
  /** These bytes may have been uploaded and deleted before: they are wanted back. @default false */
  again?: boolean;
  /** Where the dataset is another user's, one of the user's own takes its place. @default false */
  ownDataset?: boolean;
}

/**
 * Plans an upload. The dataset, when it is not there, is made by the commit, owned by the user; which one it is, where
 * {@link StageOptions.ownDataset} was asked for, the staged request says.
 *
 * @throws SedimentError `dataset_forbidden`, `dataset_deleted`, `upload_deleted`, `user_deleted`, `upload_conflict`, `rate_limited`, `quota_exceeded`,
 *   `catalog_failed`
 */
export async function stageUpload(
  ports: Pick<UploadPorts, "catalog">,
  userId: string,
  request: UploadRequest,
  options: StageOptions,
): Promise<StageOutcome> {
  const kind = request.concatenated ? "concatenated" : "fragment";
  const stage = await ports.catalog.stageUpload({
    user: userId,
    dataset: request.datasetId,
    table: request.table,
    periodTag: request.periodTag,
    size: request.size,
    contentHash: request.contentHash,
    offsetsDigest: offsetsDigest(request),
    ...(request.concatenated ? { offsets: offsetsOf(request) } : {}),
    kind: options.direct ? `direct_${kind}` : kind,
    ttlSeconds: options.ttlSeconds,
    details: options.direct ? { cut: packCut(request) } : null,
    idempotencyKey: options.idempotencyKey ?? null,
    ...(options.again ? { again: true } : {}),
    ...(options.ownDataset ? { ownDataset: true } : {}),
  });
  return {
    staged: {
      stageId: stage.stage_id,
      userId,
      objectKey: stage.object_key,
      request: { ...request, datasetId: stage.dataset_id },
      duplicate: stage.duplicate,
    },
    incomingKey: stage.incoming_key,
    firstAnswer: stage.answer,
  };
}

/**
 * How a body is cut: the format of one file, or its slices as (table, bytes after the end of the slice before,
 * length, rows or null, 1 for Avro).
 */
const cutSchema = z.union([
  z.enum(["parquet", "avro"]),
  z.array(
    z.tuple([
      z.string(),
      z.int(),
      z.int(),
      z.int().nullable(),
      z.union([z.literal(0), z.literal(1)]),
    ]),
  ),
]);

/** What {@link StageOptions.direct} keeps in the catalog for the completion. */
export const stageDetailsSchema = z.object({ cut: cutSchema });

/** A staged upload as an array of few bytes: it rides in the uploadUrl, which proxies cut at 16 KB. */
export type PackedStage = z.infer<typeof packedStageSchema>;

/** The shape of {@link PackedStage}. */
export const packedStageSchema = z.tuple([
  z.string(), // stage id
  z.string(), // user id
  z.string(), // object key
  z.int(), // size
  z.string(), // content hash
  z.string(), // dataset id
  z.string(), // table
  z.string(), // period tag
  z.boolean(), // duplicate
  cutSchema,
]);

/** Packs a staged upload for its token. */
export function packStage(
  { stageId, userId, objectKey, request, duplicate }: StagedUpload,
): PackedStage {
  return [
    stageId,
    userId,
    objectKey,
    request.size,
    request.contentHash,
    request.datasetId,
    request.table,
    request.periodTag,
    duplicate,
    packCut(request),
  ];
}

/** The staged upload of a token that was opened. */
export function unpackStage(packed: PackedStage): StagedUpload {
  const [
    stageId,
    userId,
    objectKey,
    size,
    contentHash,
    datasetId,
    table,
    periodTag,
    duplicate,
    cut,
  ] = packed;
  const described = { datasetId, table, periodTag, size, contentHash };
  return {
    stageId,
    userId,
    objectKey,
    duplicate,
    request: { ...described, ...unpackCut(cut, described) },
  };
}

type Cut = z.infer<typeof cutSchema>;

function packCut({ concatenated, slices }: UploadRequest): Cut {
  if (!concatenated) return slices[0]!.format;
  let end = 0;
  return slices.map(({ table, start, length, format, rows }) => {
    const gap = start - end;
    end = start + length;
    return [table, gap, length, rows ?? null, format === "avro" ? 1 : 0];
  });
}

/** The slices of a body of one table and size that was cut so. */
export function unpackCut(
  cut: Cut,
  { table, size }: Pick<UploadRequest, "table" | "size">,
): Pick<UploadRequest, "slices" | "concatenated"> {
  if (typeof cut === "string") {
    return { concatenated: false, slices: [{ table, start: 0, length: size, format: cut }] };
  }
  let end = 0;
  const slices = cut.map(([table, gap, length, rows, avro]): Slice => {
    const start = end + gap;
    end = start + length;
    return {
      table,
      start,
      length,
      format: avro === 1 ? "avro" : "parquet",
      ...(rows === null ? {} : { rows }),
    };
  });
  return { concatenated: true, slices };
}
