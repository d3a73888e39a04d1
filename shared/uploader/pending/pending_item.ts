/** Pure changes of a pending item: how it begins, and what an event makes of it. */
import { SedimentError } from "../../errors.ts";
import { backoffMs } from "../backoff.ts";
import {
  iso,
  type LastError,
  ms,
  type PendingItem,
  recordVersion,
  type StartedUpload,
} from "./pending_record.ts";
import { type ItemEvent, itemTransitions } from "../transitions.ts";
import type { UploadMeta } from "../upload_meta.ts";

/** What is said about an item when it is saved. */
export interface Draft {
  targetUrl: string;
  meta: UploadMeta;
  /** Checked by check_headers.ts. */
  headers?: Record<string, string>;
  userId?: string | null;
}

/** What an event brings along. */
export interface EventFacts {
  error?: Omit<LastError, "at">;
  /** Wait at least this long. */
  retryAfterMs?: number;
  upload?: StartedUpload | null;
  refusedCredential?: string | null;
  /** The claim that speaks. When it no longer holds the item, only an end counts. */
  nonce?: string;
}

/** What time, chance and settings add to an event. */
export interface EventContext {
  now: number;
  random(): number;
  intervalSeconds: number;
}

/** A waiting item. */
export function newItem(
  id: string,
  draft: Draft,
  size: number,
  contentHash: string,
  now: number,
): PendingItem {
  return {
    v: recordVersion,
    id,
    state: "waiting",
    target_url: draft.targetUrl,
    headers: draft.headers ?? {},
    created_at: iso(now),
    requeued_at: null,
    attempt_count: 0,
    file_path: `${id}.bin`,
    size,
    content_hash: contentHash,
    context: draft.meta,
    user_id: draft.userId ?? null,
    next_attempt_at: iso(now),
    last_attempt_at: null,
    last_error: null,
    refused_credential: null,
    auth_failures: 0,
    upload: null,
    claim: null,
  };
}

/** What a broken record is replaced by: dead, with the bytes kept for export. */
export function unreadableItem(
  id: string,
  reason: string,
  size: number,
  contentHash: string,
  now: number,
): PendingItem {
  const meta: UploadMeta = { kind: "asset", key: id, relative_path: id, file_name: id };
  return {
    ...newItem(id, { targetUrl: "http://unknown.invalid/", meta }, size, contentHash, now),
    state: "dead",
    last_error: { code: "record_unreadable", message: reason, at: iso(now) },
  };
}

/** The item with its next attempt spent and a claim on it. */
export function claimed(
  item: PendingItem,
  owner: string,
  nonce: string,
  now: number,
  holdMs: number,
): PendingItem {
  return {
    ...item,
    state: "sending",
    attempt_count: item.attempt_count + 1,
    last_attempt_at: iso(now),
    claim: { owner, nonce, since: iso(now), until: iso(now + holdMs) },
  };
}

/** Whether a claim has overrun. A clock that was set back must not keep a dead claim until it returns. */
export function claimOverrun(item: PendingItem, now: number): boolean {
  if (item.state !== "sending") return false;
  if (!item.claim) return true;
  const since = ms(item.claim.since), until = ms(item.claim.until);
  return now > until || now < since - (until - since);
}

/** The item after an event, as transitions.ts has it; null when it is gone. */
export function applyEvent(
  item: PendingItem,
  event: ItemEvent,
  facts: EventFacts,
  context: EventContext,
): PendingItem | null {
  const late = facts.nonce !== undefined && item.claim?.nonce !== facts.nonce;
  if (late && !["stored", "rejected", "corrupt"].includes(event)) return item;
  const cell = itemTransitions[item.state][event];
  if (!cell) throw new SedimentError("internal", `${event} can't happen to a ${item.state} item`);
  if (cell.to === "gone") return null;
  const { now } = context;
  const next: PendingItem = { ...item, state: cell.to };
  if (cell.to !== "sending") next.claim = null;
  if (facts.error) next.last_error = { ...facts.error, at: iso(now) };
  if (facts.upload !== undefined) next.upload = facts.upload;
  if (event === "refused") {
    next.refused_credential = facts.refusedCredential ?? null;
    next.auth_failures = item.auth_failures + 1;
  }
  if (cell.does === "refund") next.attempt_count = Math.max(0, item.attempt_count - 1);
  if (cell.does === "hold") {
    next.attempt_count = Math.max(0, item.attempt_count - 1);
    const wait = facts.retryAfterMs ?? context.intervalSeconds * 1000;
    next.next_attempt_at = next.requeued_at = iso(now + wait);
  }
  if (cell.does === "backoff") {
    const wait = backoffMs(context, context.intervalSeconds * 1000, next.attempt_count);
    next.next_attempt_at = iso(now + Math.max(wait, facts.retryAfterMs ?? 0));
  }
  if (cell.does === "reset") {
    next.attempt_count = 0;
    next.auth_failures = 0;
    next.refused_credential = null;
    next.next_attempt_at = next.requeued_at = iso(now);
    next.upload = null;
  }
  return next;
}

/** What a log line says of an item. */
export function about(item: PendingItem): Record<string, unknown> {
  const { context } = item;
  return context.kind === "asset" ? { key: context.key } : {
    dataset_id: context.dataset_id,
    table: context.table,
    period_tag: context.period_tag,
  };
}
