/** Step 1 of an upload: a key is planned for bytes that are still to come. */
import * as z from "zod";
import { offsetsDigest } from "./digests.ts";
import type { UploadAnswer, UploadPorts } from "./ports.ts";
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
  expiresAt: Date;
  /** The first answer, when these bytes were already acknowledged. */
  firstAnswer: UploadAnswer | null;
}

/**
 * Plans an upload. Creates the dataset, owned by the user, when it is not there.
 *
 * @throws SedimentError `dataset_forbidden`, `upload_conflict`, `rate_limited`, `quota_exceeded`,
 *   `catalog_failed`
 */
export async function stageUpload(
  ports: Pick<UploadPorts, "catalog">,
  userId: string,
  request: UploadRequest,
  ttlSeconds: number,
): Promise<StageOutcome> {
  const stage = await ports.catalog.stageUpload({
    user: userId,
    dataset: request.datasetId,
    table: request.table,
    periodTag: request.periodTag,
    size: request.size,
    contentHash: request.contentHash,
    offsetsDigest: offsetsDigest(request),
    kind: request.concatenated ? "concatenated" : "fragment",
    ttlSeconds,
  });
  return {
    staged: {
      stageId: stage.stage_id,
      userId,
      objectKey: stage.object_key,
      request,
      duplicate: stage.duplicate,
    },
    expiresAt: new Date(stage.expires_at),
    firstAnswer: stage.answer,
  };
}

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
  z.union([
    z.enum(["parquet", "avro"]), // one file, the whole body
    z.array(z.tuple([z.string(), z.int(), z.int(), z.enum(["p", "a"]), z.int().nullable()])),
  ]),
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
    request.concatenated
      ? request.slices.map(({ table, start, length, format, rows }) => [
        table,
        start,
        length,
        format === "avro" ? "a" : "p",
        rows ?? null,
      ])
      : request.slices[0]!.format,
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
  return {
    stageId,
    userId,
    objectKey,
    duplicate,
    request: {
      datasetId,
      table,
      periodTag,
      size,
      contentHash,
      concatenated: typeof cut !== "string",
      slices: typeof cut === "string"
        ? [{ table, start: 0, length: size, format: cut }]
        : cut.map(([table, start, length, format, rows]) => ({
          table,
          start,
          length,
          format: format === "a" ? "avro" : "parquet",
          ...(rows === null ? {} : { rows }),
        })),
    },
  };
}
