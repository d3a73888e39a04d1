/** multipart/form-data bodies: bounded like any other, then split into named parts. */
import { MultipartParseError, parseMultipart } from "@remix-run/multipart-parser";
import { SedimentError } from "../errors.ts";
import { type BodyLimits, readBody } from "./read_body.ts";
import { maxJsonBytes } from "./read_json.ts";

/** A multipart form in memory. */
export interface MultipartForm {
  /**
   * The text of a field, or undefined when it is absent; a file of that name counts as its text. Throws
   * `body_too_large` when it is longer than a JSON body may be.
   */
  text(name: string): Promise<string | undefined>;
  /** The bytes of a part. Throws `invalid_multipart` when it is absent. */
  bytes(name: string): Promise<Uint8Array>;
}

/** Room for the boundary lines and the fields beside the file, bytes. */
const framingBytes = 64 * 1024;

/** More parts than any route has: 8 MB of the shortest ones would take seconds. */
const maxParts = 64;

/** Fields are read as JSON bodies are: 8 MB nested deep took seconds of the isolate's CPU. */
const textLimits: BodyLimits = { maxBytes: maxJsonBytes };

/** Whether the request says that it is multipart. */
export function isMultipart(headers: Headers): boolean {
  return /^multipart\/form-data\b/i.test(headers.get("content-type") ?? "");
}

/**
 * Reads a multipart body whose file is at most `maxBytes` long.
 *
 * @throws SedimentError `body_too_large`, `body_stalled`, `invalid_multipart`
 */
export async function readMultipart(request: Request, limits: BodyLimits): Promise<MultipartForm> {
  const body = await readBody(request, { ...limits, maxBytes: limits.maxBytes + framingBytes });
  const parts = partsOf(request.headers.get("content-type") ?? "", body);
  return {
    // deno-lint-ignore require-await -- what it throws is the promise's
    text: async (name) => {
      const bytes = parts.get(name);
      if (bytes === undefined) return undefined;
      return new TextDecoder().decode(within(name, bytes, textLimits));
    },
    // deno-lint-ignore require-await -- what it throws is the promise's
    bytes: async (name) => within(name, parts.get(name), limits),
  };
}

/** The bytes of each part, views of the body; of parts of one name the first, as FormData.get has it. */
function partsOf(contentType: string, body: Uint8Array): Map<string, Uint8Array> {
  const [, quoted, bare] = /;\s*boundary=(?:"([^"]{1,70})"|([^;\s"]{1,70}))/i.exec(contentType) ??
    [];
  const parts = new Map<string, Uint8Array>();
  try {
    const options = {
      boundary: quoted ?? bare ?? "",
      maxParts,
      maxFileSize: body.byteLength,
      maxTotalSize: body.byteLength,
    };
    if (options.boundary === "") throw new MultipartParseError("Content-Type names no boundary");
    if (body.byteLength === 0) throw new MultipartParseError("there are no bytes");
    for (const part of parseMultipart(body, options)) {
      const { name, content } = part;
      if (name === undefined || parts.has(name)) continue;
      parts.set(name, content.length === 1 ? content[0]! : part.bytes);
    }
  } catch (cause) {
    const reason = cause instanceof MultipartParseError ? cause.message : "it is broken";
    throw new SedimentError("invalid_multipart", `The multipart body can't be split: ${reason}`, {
      field: "body",
      expected: "multipart/form-data with the boundary that Content-Type names, each part once",
      cause,
    });
  }
  return parts;
}

/** The bytes of a part that is there and not too long. */
function within(name: string, bytes: Uint8Array | undefined, { maxBytes }: BodyLimits): Uint8Array {
  if (bytes === undefined) {
    throw new SedimentError("invalid_multipart", `The part "${name}" is missing`, {
      field: name,
      expected: `a part named "${name}" that holds the file`,
    });
  }
  if (bytes.byteLength > maxBytes) throw tooLarge(name, bytes.byteLength, { maxBytes });
  return bytes;
}

function tooLarge(name: string, bytes: number, { maxBytes }: BodyLimits): SedimentError {
  return new SedimentError("body_too_large", `The part "${name}" has ${bytes} bytes`, {
    field: name,
    expected: `at most ${maxBytes} bytes`,
    extra: { max_bytes: maxBytes },
  });
}
