/**
 * The errors of Supabase's Storage API, as its clients see them. The HTTP status of nearly all of them is
 * 400; the real one stands in the body as a string (`statusCode`). Facts from supabase/storage
 * `src/internal/errors/codes.ts`, `storage-error.ts` and `src/http/error-handler.ts`.
 */

interface ApiErrorKind {
  /** What the body's `statusCode` says. */
  statusCode: number;
  /** The body's `error`; the code where the API has no older word. */
  error?: string;
  /** The body's `message`, unless the thrower gives another. */
  message: string;
  /** HTTP status where it isn't 400. */
  http?: number;
}

const kinds = {
  NoSuchBucket: { statusCode: 404, error: "Bucket not found", message: "Bucket not found" },
  NoSuchKey: { statusCode: 404, error: "not_found", message: "Object not found" },
  NoSuchUpload: { statusCode: 404, message: "Upload not found" },
  KeyAlreadyExists: {
    statusCode: 409,
    error: "Duplicate",
    message: "The resource already exists",
  },
  BucketAlreadyExists: {
    statusCode: 409,
    error: "Duplicate",
    message: "The resource already exists",
  },
  BucketNotEmpty: {
    statusCode: 409,
    error: "InvalidRequest",
    message: "The bucket you tried to delete is not empty",
  },
  EntityTooLarge: {
    statusCode: 413,
    error: "Payload too large",
    message: "The object exceeded the maximum allowed size",
  },
  InvalidMimeType: {
    statusCode: 415,
    error: "invalid_mime_type",
    message: "mime type is not supported",
  },
  InvalidRange: {
    statusCode: 416,
    error: "invalid_range",
    message: "invalid range provided",
    http: 416,
  },
  AccessDenied: {
    statusCode: 403,
    error: "Unauthorized",
    message: "new row violates row-level security policy",
  },
  ResourceLocked: { statusCode: 423, message: "The resource is locked" },
  DatabaseError: { statusCode: 500, message: "Database error", http: 500 },
  InvalidJWT: { statusCode: 400, message: "Invalid JWT" },
  InvalidSignature: { statusCode: 400, message: "Invalid signature" },
  InvalidKey: { statusCode: 400, message: "Invalid key" },
  InvalidBucketName: { statusCode: 400, error: "Invalid Input", message: "Bucket name invalid" },
  InvalidRequest: { statusCode: 400, message: "The request is not valid" },
  InternalError: { statusCode: 500, message: "Internal server error", http: 500 },
  NotFound: { statusCode: 404, error: "Not Found", message: "Route not found", http: 404 },
} as const satisfies Record<string, ApiErrorKind>;

/** The body's `code`. */
export type StorageApiCode = keyof typeof kinds;

/** An error that the stand-in answers with the real API's status and body. */
export class StorageApiError extends Error {
  override readonly name = "StorageApiError";
  readonly code: StorageApiCode;

  /** @param message what the body says, when it isn't the code's usual sentence */
  constructor(code: StorageApiCode, message?: string, cause?: unknown) {
    super(message ?? kinds[code].message, { cause });
    this.code = code;
  }

  /** The status that the body tells. */
  get statusCode(): number {
    return kinds[this.code].statusCode;
  }

  /** The answer as the real API gives it. */
  toResponse(): Response {
    const kind: ApiErrorKind = kinds[this.code];
    // BucketNotEmpty shares the code InvalidRequest in the real table.
    const code = this.code === "BucketNotEmpty" ? "InvalidRequest" : this.code;
    return Response.json({
      statusCode: String(kind.statusCode),
      error: kind.error ?? code,
      message: this.message,
      code,
    }, { status: kind.http ?? 400 });
  }
}
