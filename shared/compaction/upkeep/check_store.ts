/**
 * Compares what the catalog names with what the store holds, slice by slice: keys, sizes and ETags along the store's list,
 * bytes with their checksums along the data files. Where it has come to and what it found is in the catalog
 * (`store_check`, `store_findings`), so that whoever comes next goes on there; the catalog draws the consequences.
 */
import { callCatalog } from "../run/call_catalog.ts";
import { type CheckPorts, type Finding, Slice } from "./check_slice.ts";

/** Bounds of a check. */
export interface CheckOptions {
  /** No further slice is begun after this many seconds. */
  seconds: number;
  /** Until the list's pass and the walk over all bytes have ended, due or not. @default false */
  full?: boolean;
  /** From the beginning, in place of where the last check stopped. @default false */
  restart?: boolean;
  signal?: AbortSignal;
}

/** What a check did. */
export interface CheckReport {
  slices: number;
  /** Objects of the store's list. */
  listed: number;
  files_read: number;
  bytes_read: number;
  /** What its own looks found, the first thousand. */
  found: Finding[];
  /** Findings that a second look has confirmed, also of checks before. */
  open: number;
  /** Data files that were set aside for what it found. */
  set_aside: number;
  /** Why it ended; `done` where all of a full one was gone over. */
  stopped: "done" | "time" | "busy" | "breaker_open" | "not_due";
}

/** Findings that are told; all are in the catalog. */
const mostTold = 1000;

/**
 * Checks. Runs beside uploads and compaction: what is put or deleted meanwhile is asked about again before it is called a
 * finding.
 *
 * @throws SedimentError as the ports do; what was noted stays, and the slice is looked at again
 */
export async function checkStore(ports: CheckPorts, options: CheckOptions): Promise<CheckReport> {
  const { full = false, signal = new AbortController().signal } = options;
  const end = ports.clock.now() + options.seconds * 1000;
  const report: CheckReport = {
    slices: 0,
    listed: 0,
    files_read: 0,
    bytes_read: 0,
    found: [],
    open: 0,
    set_aside: 0,
    stopped: "time",
  };
  const left = { list: true, bytes: true };
  let restart = options.restart ?? false;
  while (ports.clock.now() < end) {
    const begun = await callCatalog(
      signal,
      (stop) => ports.catalog.beginStoreCheck({ full, restart }, stop),
    );
    if (!begun.claimed) {
      report.stopped = begun.reason;
      break;
    }
    restart = false;
    const slice = new Slice(ports, begun, signal, end);
    const { open, set_aside } = await slice.check(left);
    report.slices++;
    report.listed += slice.listed;
    report.files_read += slice.filesRead;
    report.bytes_read += slice.bytesRead;
    report.open = open;
    report.set_aside += set_aside;
    report.found.push(...slice.found.slice(0, mostTold - report.found.length));
    if (full && !left.list && !left.bytes) {
      report.stopped = "done";
      break;
    }
  }
  return report;
}
