/** multipart/form-data bodies: bounded like any other, then split into named parts. */
import { SedimentError } from "../errors.ts";
import { type BodyLimits, readBody } from "./read_body.ts";
import { maxJsonBytes } from "./read_json.ts";
import { holdsManyParts, splitMultipart } from "./split_multipart.ts";

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
  const contentType = request.headers.get("content-type") ?? "";
  const body = await readBody(request, { ...limits, maxBytes: limits.maxBytes + framingBytes });
  const parts = splitMultipart(contentType, body);
  if (parts !== undefined) {
    // As FormData.get: the first of that name.
    const bytesOf = (name: string) => parts.find((part) => part.name === name)?.bytes;
    return {
      // deno-lint-ignore require-await -- what it throws is the promise's
      text: async (name) => {
        const bytes = bytesOf(name);
        if (bytes === undefined) return undefined;
        return new TextDecoder().decode(within(name, bytes, textLimits));
      },
      // deno-lint-ignore require-await -- what it throws is the promise's
      bytes: async (name) => within(name, bytesOf(name), limits),
    };
  }
  if (holdsManyParts(contentType, body)) {
    throw new SedimentError("invalid_multipart", "The multipart body has too many parts", {
      field: "body",
      expected: "the parts of this route, each once",
    });
  }
  let form: FormData;
  try {
    form = await new Response(body as BodyInit, { headers: { "content-type": contentType } })
      .formData();
  } catch (cause) {
    throw new SedimentError("invalid_multipart", "The multipart body cannot be split into parts", {
      field: "body",
      expected: "multipart/form-data with the boundary that Content-Type names",
      cause,
    });
  }
  return {
    async text(name) {
      const value = form.get(name);
      if (value === null) return undefined;
      const blob = typeof value === "string" ? new Blob([value]) : value;
      if (blob.size > textLimits.maxBytes) throw tooLarge(name, blob.size, textLimits);
      return await blob.text();
    },
    async bytes(name) {
      const value = form.get(name);
      const bytes = typeof value === "string"
        ? new TextEncoder().encode(value)
        : value === null
        ? undefined
        : new Uint8Array(await value.arrayBuffer());
      return within(name, bytes, limits);
    },
  };
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
