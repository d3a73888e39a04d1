/** The errors of the S3 protocol: a status and an XML body (AWS S3 API Reference, "Error responses"). */
import { escapeXml } from "../../../../shared/storage/s3_xml.ts";

const kinds = {
  AccessDenied: { status: 403, message: "Access Denied" },
  AuthorizationHeaderMalformed: { status: 400, message: "The credential's scope is not valid" },
  InvalidAccessKeyId: { status: 403, message: "The access key is not known" },
  InvalidArgument: { status: 400, message: "Invalid Argument" },
  InvalidRange: { status: 416, message: "The requested range is not satisfiable" },
  InternalError: { status: 500, message: "Internal server error" },
  NoSuchBucket: { status: 404, message: "Bucket not found" },
  NoSuchKey: { status: 404, message: "Object not found" },
  NotImplemented: { status: 501, message: "The stand-in has the reading half of S3 only" },
  RequestTimeTooSkewed: { status: 403, message: "The request's time is too far from the server's" },
  SignatureDoesNotMatch: {
    status: 403,
    message: "The request signature does not match the signature that was provided",
  },
} as const;

/** The `Code` of an error. */
export type S3Code = keyof typeof kinds;

/** An error that is answered as S3 does. */
export class S3Error extends Error {
  override readonly name = "S3Error";

  /** @param code its word in the body; @param message in place of the code's usual sentence */
  constructor(readonly code: S3Code, message?: string) {
    super(message ?? kinds[code].message);
  }

  /** The answer; that to HEAD has no body. */
  toResponse(method: string, resource: string): Response {
    const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${this.code}</Code>` +
      `<Message>${escapeXml(this.message)}</Message><Resource>${
        escapeXml(resource)
      }</Resource></Error>`;
    return new Response(method === "HEAD" ? null : body, {
      status: kinds[this.code].status,
      headers: { "content-type": "application/xml" },
    });
  }
}
