/** JSON bodies: bounded, UTF-8, an object, checked by a schema. */
import type * as z from "zod/v4/core";
import { SedimentError } from "../errors.ts";
import { type BodyLimits, readBody } from "./read_body.ts";
import { validate } from "../protocol/validate.ts";

/** A JSON body is never larger than this; files travel as raw bytes or as multipart. A body of 128 slices has some 30 KB. */
export const maxJsonBytes = 256 * 1024;

/**
 * Fields and entries that a body may have, counted before they are read: by the signs that begin or part them, in strings
 * as well. 128 slices come to 1,800, and 1,000 ids to as many; 16,000 fields took 5 ms to read and 2 more to refuse, 2,000
 * take 1.
 */
const mostEntries = 4096;

/** Bytes of JSON that are read in a millisecond, at least. */
const jsonBytesPerMs = 30_000;

/** What reading the JSON body of a request may take, ms, by what its head says of it; 0 of one that is a form. */
export function jsonWorkMs({ headers }: Request): number {
  if (/^multipart\//i.test(headers.get("content-type") ?? "")) return 0;
  const said = Number(headers.get("content-length") ?? maxJsonBytes);
  return (said >= 0 && said < maxJsonBytes ? said : maxJsonBytes) / jsonBytesPerMs;
}

/**
 * Reads and checks a JSON body.
 *
 * @throws SedimentError `body_too_large`, `body_stalled`, `invalid_json`, and what {@link validate} throws
 */
export async function readJson<T>(
  request: Request,
  schema: z.$ZodType<T>,
  limits: Partial<BodyLimits> = {},
): Promise<T> {
  const bytes = await readBody(request, { ...limits, maxBytes: maxJsonBytes });
  return validate(schema, parseJson(bytes, "body"));
}

/**
 * JSON text of UTF-8 bytes.
 *
 * @param field the name that an error gives
 * @throws SedimentError `invalid_json`, `invalid_request` where there are too many fields and entries
 */
export function parseJson(bytes: Uint8Array, field: string): unknown {
  refuseCrowd(bytes, field);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new SedimentError("invalid_json", `The ${field} is not JSON`, {
      field,
      expected: "a JSON object in UTF-8",
      cause,
    });
  }
}

const [colon, comma, bracket, brace] = [0x3a, 0x2c, 0x5b, 0x7b];

function refuseCrowd(bytes: Uint8Array, field: string): void {
  let entries = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === comma || byte === colon || byte === bracket || byte === brace) entries++;
  }
  if (entries <= mostEntries) return;
  throw new SedimentError(
    "invalid_request",
    `The ${field} has over ${mostEntries} fields and entries`,
    {
      field,
      expected: `at most ${mostEntries}, with their separators`,
    },
  );
}
