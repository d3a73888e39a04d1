/** What checking an upload costs, worked out from headers before anything is decoded. */
import { hostLimits } from "../compression/host_limits.ts";
import { costCoefficients } from "../compaction/plan/cost_coefficients.ts";
import { SedimentError } from "../errors.ts";
import type { SchemaJson } from "../parquet/format/schema_json.ts";
import type { ParquetFacts } from "../parquet/inspect/inspect.ts";

/** What the checks of one request may cost, all of its slices together. */
export interface CheckBudget {
  /** CPU, ms. */
  cpuMs: number;
  /** Bytes that pages unpacked by the host may take at once. */
  unpackedBytes: number;
  /** Characters of the schemas as the catalog keeps them: of one file, and of all. */
  schemaChars: number;
  schemasChars: number;
}

const MiB = 1024 * 1024;

/** Edge isolates are killed at 2 s of CPU and 256 MB, and serve several requests. */
export const checkBudget: Readonly<CheckBudget> = Object.freeze({
  cpuMs: 500,
  unpackedBytes: 96 * MiB,
  schemaChars: MiB,
  schemasChars: 4 * MiB,
});

/** Ms for a page beside its bytes, and for a column chunk: read on Deno 2.1 with files of nothing else. */
const pageMs = 0.0005, chunkMs = 0.003;

/** Ms for a byte of a footer: names, keys and bounds. 372 KB were parsed in 11 to 14 ms. */
const footerByteMs = 1 / 25_000;

/**
 * A page that the host unpacks is there as it grows, as it comes and where it goes: one of 30 MiB took 136 MB on Deno 2.1, 103
 * on 2.9.
 */
const unpackedCopies = 4;

/** What of a file the price follows from. */
type Priced = Pick<ParquetFacts, "schema" | "decode" | "footerLength" | "chunks">;

/** The CPU that decoding all pages takes, ms, by the coefficients that the planner prices merges with. */
export function checkCpuMs({ footerLength, chunks, decode }: Omit<Priced, "schema">): number {
  const headers = footerLength * footerByteMs + chunks.chunks * chunkMs;
  if (decode === undefined) return headers;
  const { unpacked } = decode;
  const host = hostLimits();
  const { valueMs, checkByteMs, zstdByteMs, gzipByteMs, ownGzipByteMs, brotliByteMs } =
    costCoefficients;
  return headers + decode.pages * pageMs + decode.values * valueMs + decode.bytes * checkByteMs +
    unpacked.zstd * zstdByteMs + unpacked.gzip * (host.gzip ? gzipByteMs : ownGzipByteMs) +
    // where the host has no bound its pages are not unpacked
    (host.brotli ? unpacked.brotli * brotliByteMs : 0);
}

/** Adds up what the slices of a request cost. */
export class CheckAccount {
  readonly #budget: Readonly<CheckBudget>;
  #cpuMs = 0;
  #schemasChars = 0;

  constructor(budget: Readonly<CheckBudget> = checkBudget) {
    this.#budget = budget;
  }

  /** Characters of the schemas so far, about. */
  get schemasChars(): number {
    return this.#schemasChars;
  }

  /**
   * Looks whether a footer of so many bytes can be parsed within what is left, before it is.
   *
   * @returns what parsing it takes, ms
   * @throws SedimentError `check_too_costly` with the figures
   */
  expectFooter(bytes: number): number {
    const cpuMs = bytes * footerByteMs;
    const most = this.#budget.cpuMs;
    if (this.#cpuMs + cpuMs <= most) return cpuMs;
    throw refused(
      `parsing a footer of ${bytes} bytes, after what was checked, would take about ` +
        `${Math.ceil(this.#cpuMs + cpuMs)} ms of CPU`,
      `files that take at most ${most} ms to check; larger ones in several uploads, or by ?direct=1`,
      { footer_bytes: bytes, check_ms: Math.ceil(this.#cpuMs + cpuMs), max_check_ms: most },
    );
  }

  /**
   * Takes a file on.
   *
   * @returns what its pages take to decode, ms
   * @throws SedimentError `check_too_costly` with the figures
   */
  add(facts: Priced): number {
    const budget = this.#budget;
    const cpuMs = checkCpuMs(facts);
    this.#cpuMs += cpuMs;
    if (this.#cpuMs > budget.cpuMs) throw tooCostly(facts, this.#cpuMs, budget.cpuMs);
    const page = largestUnpacked(facts.decode);
    if (page * unpackedCopies > budget.unpackedBytes) {
      throw refused(
        `a page unpacks to ${page} bytes`,
        `pages of at most ${budget.unpackedBytes / unpackedCopies} bytes in gzip, brotli or zstd`,
        { page_bytes: page, max_page_bytes: budget.unpackedBytes / unpackedCopies },
      );
    }
    let chars = aboutChars(facts.schema);
    if (6 * (this.#schemasChars + chars) > budget.schemaChars) {
      chars = JSON.stringify(facts.schema).length;
    }
    this.#schemasChars += chars;
    if (chars > budget.schemaChars || this.#schemasChars > budget.schemasChars) {
      const max = chars > budget.schemaChars ? budget.schemaChars : budget.schemasChars;
      const found = chars > budget.schemaChars ? chars : this.#schemasChars;
      throw refused(
        `the schema comes to ${found} characters`,
        `at most ${max} characters of schemas, as JSON`,
        { schema_chars: found, max_schema_chars: max },
      );
    }
    return cpuMs;
  }
}

/**
 * About the length of a schema as JSON, without making its text: 60 characters a node for keys and types, and its own
 * texts. What bounds are compared with is at most six times as long.
 */
function aboutChars({ name, logical, spelling, reading, children }: SchemaJson): number {
  let chars = 60 + name.length + (logical?.length ?? 0) + (spelling?.length ?? 0) +
    (reading?.length ?? 0);
  if (children !== undefined) { for (const child of children) chars += aboutChars(child); }
  return chars;
}

function largestUnpacked(decode: Priced["decode"]): number {
  if (decode === undefined) return 0;
  const { gzip, brotli, zstd } = decode.largest;
  return Math.max(gzip, zstd, hostLimits().brotli ? brotli : 0);
}

function tooCostly(
  { decode, chunks: { groups } }: Priced,
  cpuMs: number,
  most: number,
): SedimentError {
  const { pages = 0, values = 0, bytes = 0 } = decode ?? {};
  return refused(
    `decoding ${pages} pages of ${groups} row groups, ${values} values in ${bytes} bytes, ` +
      `would take about ${Math.ceil(cpuMs)} ms of CPU`,
    `files that take at most ${most} ms to check; larger ones in several uploads, or by ?direct=1`,
    {
      pages,
      row_groups: groups,
      values,
      decoded_bytes: bytes,
      check_ms: Math.ceil(cpuMs),
      max_check_ms: most,
    },
  );
}

function refused(detail: string, expected: string, extra: Record<string, number>): SedimentError {
  return new SedimentError("check_too_costly", detail, { expected, extra });
}
