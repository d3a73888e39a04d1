import { type ErrorCode, SedimentError } from "../errors.ts";

/** The codes that say what is wrong with an Avro file. */
export type AvroErrorCode = Extract<ErrorCode, "not_avro" | "invalid_avro" | "unsupported_avro">;

/** A place inside an Avro file. */
export interface AvroPlace {
  /** A part that is no block. */
  part?: "header";
  /** Counts the file's blocks from 0. */
  block?: number;
  /** Counts the block's objects from 0. */
  row?: number;
  /** `orders[].price`: fields by name, `[]` an array's items, `{}` a map's values, `member1` a union's second. */
  path?: string;
}

/** A fault found where the place is not known; whoever knows it turns it into an {@link avroError}. */
export class AvroFault extends Error {
  override readonly name = "AvroFault";
  readonly code: AvroErrorCode;

  constructor(code: AvroErrorCode, detail: string) {
    super(detail);
    this.code = code;
  }
}

/** What is thrown for bytes that break the format's rules. */
export function invalid(detail: string): AvroFault {
  return new AvroFault("invalid_avro", detail);
}

/** What is thrown for well-formed input that is refused. */
export function unsupported(detail: string): AvroFault {
  return new AvroFault("unsupported_avro", detail);
}

/** The error that leaves this folder: its sentence, `field` and `extra` (`block`, `row`) name the place. */
export function avroError(
  code: AvroErrorCode,
  detail: string,
  place: AvroPlace = {},
  cause?: unknown,
): SedimentError {
  const words: string[] = [];
  if (place.part !== undefined) words.push(place.part);
  if (place.block !== undefined) words.push(`block ${place.block}`);
  if (place.row !== undefined) words.push(`row ${place.row}`);
  const path = place.path ? printable(place.path) : undefined;
  if (path !== undefined) words.push(`field ${path}`);
  const where = words.join(", ");
  return new SedimentError(code, where === "" ? detail : `${where}: ${detail}`, {
    ...(path !== undefined && { field: path }),
    ...(cause !== undefined && { cause }),
    extra: {
      ...(place.block !== undefined && { block: place.block }),
      ...(place.row !== undefined && { row: place.row }),
    },
  });
}

/** Runs a step; a fault in it leaves as an {@link avroError} at the place. Other errors pass. */
export function at<T>(place: AvroPlace, step: () => T): T {
  try {
    return step();
  } catch (thrown) {
    throw placed(thrown, place);
  }
}

/** A fault as the error for a place; anything else as it is. */
export function placed(thrown: unknown, place: AvroPlace): unknown {
  return thrown instanceof AvroFault ? avroError(thrown.code, thrown.message, place) : thrown;
}

/** Text from a hostile file, cut and freed of control characters, for messages. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "\ufffd");
  return clean.length <= 160 ? clean : `${clean.slice(0, 160)}…`;
}
