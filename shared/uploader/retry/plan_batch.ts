/** Which pending items a batch tries, and why the others wait. Pure. */
import { ceilingMs, isDue, longestRetryAfterMs } from "../backoff.ts";
import { ms, type PendingItem } from "../pending/pending_record.ts";
import type { Credential } from "../session/session.ts";
import type { UploaderSettings } from "../settings/settings.ts";

/** What a batch is planned from. */
export interface BatchFacts {
  now: number;
  /** Items of other servers are left: their credentials aren't ours to send there. */
  origin: string;
  credential: Credential | null;
  /** By hand: waiting times don't count. */
  force: boolean;
  retry: UploaderSettings["retry"];
}

/** A batch's plan; every item is in exactly one of its lists. */
export interface BatchPlan {
  /** To try, in this order: oldest first, those that were refused before last. */
  due: PendingItem[];
  /** Past their time to live. */
  expired: PendingItem[];
  /** Of an identity that is in `due` already. */
  duplicates: PendingItem[];
  /** Not yet: backoff, another process's claim, or refused with this very credential. */
  deferred: PendingItem[];
  /** Another user's, or another server's. */
  foreign: PendingItem[];
  /** Dead and expired ones. */
  ended: PendingItem[];
}

/** Plans a batch from all items, oldest first. */
export function planBatch(items: PendingItem[], facts: BatchFacts): BatchPlan {
  const plan: BatchPlan = {
    due: [],
    expired: [],
    duplicates: [],
    deferred: [],
    foreign: [],
    ended: [],
  };
  const refusedBefore: PendingItem[] = [];
  const seen = new Seen();
  for (const item of items) {
    if (item.state === "dead" || item.state === "expired") plan.ended.push(item);
    else if (item.state === "sending") plan.deferred.push(item);
    else if (isExpired(item, facts)) plan.expired.push(item);
    else if (!isOurs(item, facts.origin, facts.credential)) plan.foreign.push(item);
    else if (!facts.force && !isTimeCome(item, facts)) plan.deferred.push(item);
    else if (seen.before(item)) plan.duplicates.push(item);
    else {
      // A refused item at the head would hold up all behind it for as long as it is refused.
      (item.state === "parked" ? refusedBefore : plan.due).push(item);
    }
  }
  plan.due.push(...refusedBefore);
  return plan;
}

/** The least wait after the n-th refusal in a row: none after the first, then doubling, up to 1 h. */
export function authWaitMs(failures: number, retry: UploaderSettings["retry"]): number {
  return failures <= 1 ? 0 : ceilingMs(retry.auth_backoff_seconds * 1000, failures - 1);
}

function isTimeCome(item: PendingItem, { now, credential, retry }: BatchFacts): boolean {
  if (item.state !== "parked") {
    // An item that was never tried waits for nothing; one that was tried in the future shows that the clock was set back.
    if (item.last_attempt_at === null || ms(item.last_attempt_at) > now + 1000) return true;
    return isDue(ms(item.next_attempt_at), now, longestRetryAfterMs);
  }
  if (credential?.fingerprint === item.refused_credential) return false;
  const since = item.last_attempt_at === null ? 0 : ms(item.last_attempt_at);
  return isDue(since + authWaitMs(item.auth_failures, retry), now);
}

function isExpired(item: PendingItem, { now, retry }: BatchFacts): boolean {
  const born = Math.max(ms(item.created_at), item.requeued_at ? ms(item.requeued_at) : 0);
  return now - born > retry.ttl_seconds * 1000;
}

/** Whether this credential may send an item: one of this server, and of its user or of nobody. */
export function isOurs(item: PendingItem, origin: string, credential: Credential | null): boolean {
  if (new URL(item.target_url).origin !== origin) return false;
  const user = credential?.userId ?? null;
  return item.user_id === null || user === null || item.user_id === user;
}

/** Whether an identity came by before. Whole keys are made only where content hashes meet. */
class Seen {
  readonly #byHash = new Map<string, PendingItem[]>();

  before(item: PendingItem): boolean {
    const others = this.#byHash.get(item.content_hash);
    if (!others) {
      this.#byHash.set(item.content_hash, [item]);
      return false;
    }
    const key = identityKey(item);
    if (others.some((other) => identityKey(other) === key)) return true;
    others.push(item);
    return false;
  }
}

/** As `identityOf`, without the digest. */
function identityKey(item: PendingItem): string {
  const { context: c } = item;
  const what = c.kind === "asset"
    ? c.key
    : `${c.dataset_id.toLowerCase()} ${c.table} ${c.period_tag} ${
      c.table_offsets === undefined ? "" : JSON.stringify(c.table_offsets)
    }`;
  return `${c.kind} ${item.target_url} ${item.content_hash} ${what}`;
}
