/**
 * The two state machines of the uploader as data: every state × event has its cell, or this does not
 * compile (`Record` without `Partial`). SPEC.md says the same in words; a test compares the two.
 */

/** Where an item is. `gone` is no record at all: the end of what was stored, or was dropped by a person. */
export const itemStates = ["waiting", "sending", "parked", "dead", "expired", "gone"] as const;
/** See {@link itemStates}. */
export type ItemState = (typeof itemStates)[number];

/** What can happen to an item. */
export const itemEvents = [
  "save", // upload() was called with this identity
  "claim", // a sender takes it: the attempt is spent and written down before any byte leaves
  "stored", // 200 with the service's answer, or 409 already_stored
  "failed", // network, 407, 408, 425, 5xx, an answer that isn't the service's
  "exhausted", // as failed, and it was the last attempt
  "limited", // 429: a limit of the user's, no fault of the item's
  "unreachable", // no route, no name, connection refused, or a service that is being upgraded
  "refused", // 401 or 403
  "rejected", // any other 4xx
  "corrupt", // bytes missing or changed, record unreadable
  "stopped", // the caller's signal, or the service is stopping
  "claim_lost", // the claim's owner died or overran
  "ttl", // older than ttl_seconds
  "requeue", // by hand
  "drop", // by hand, or by the quota when that is its setting
] as const;
/** See {@link itemEvents}. */
export type ItemEvent = (typeof itemEvents)[number];

/** What a cell says: the next state, and what is done to the record on the way. */
export interface ItemCell {
  to: ItemState;
  /**
   * `spend`: attempt_count + 1. `refund`: attempt_count − 1. `backoff`: next_attempt_at by the backoff.
   * `hold`: refund, and next_attempt_at by Retry-After, from when on its time to live counts anew.
   * `reset`: attempts, error and age start anew. `duplicate`: nothing is written, the caller is told.
   */
  does?: "spend" | "refund" | "backoff" | "hold" | "reset" | "duplicate";
}

const stay = (to: ItemState): ItemCell => ({ to });

/** Item: state × event → cell; `null` where the event can't happen, and raising it there is a bug. */
export const itemTransitions: Record<ItemState, Record<ItemEvent, ItemCell | null>> = {
  waiting: {
    save: { to: "waiting", does: "duplicate" },
    claim: { to: "sending", does: "spend" },
    stored: stay("gone"), // another process sent the same identity
    failed: stay("waiting"), // a late word of a lost claim
    exhausted: stay("dead"),
    limited: stay("waiting"),
    unreachable: stay("waiting"),
    refused: stay("parked"),
    rejected: stay("dead"),
    corrupt: stay("dead"),
    stopped: stay("waiting"),
    claim_lost: stay("waiting"),
    ttl: stay("expired"),
    requeue: { to: "waiting", does: "reset" },
    drop: stay("gone"),
  },
  sending: {
    save: { to: "sending", does: "duplicate" },
    claim: null, // a second sender must find it taken
    stored: stay("gone"),
    failed: { to: "waiting", does: "backoff" },
    exhausted: stay("dead"),
    limited: { to: "waiting", does: "hold" },
    unreachable: { to: "waiting", does: "refund" },
    refused: { to: "parked", does: "refund" },
    rejected: stay("dead"),
    corrupt: stay("dead"),
    stopped: { to: "waiting", does: "refund" },
    claim_lost: { to: "waiting", does: "backoff" }, // not refunded: bytes that crash a process end dead
    ttl: stay("sending"), // the running attempt decides
    requeue: stay("sending"),
    drop: stay("gone"),
  },
  parked: {
    save: { to: "parked", does: "duplicate" },
    claim: { to: "sending", does: "spend" },
    stored: stay("gone"),
    failed: stay("parked"),
    exhausted: stay("dead"),
    limited: stay("parked"),
    unreachable: stay("parked"),
    refused: stay("parked"),
    rejected: stay("dead"),
    corrupt: stay("dead"),
    stopped: stay("parked"),
    claim_lost: stay("parked"),
    ttl: stay("expired"),
    requeue: { to: "waiting", does: "reset" },
    drop: stay("gone"),
  },
  dead: {
    save: { to: "dead", does: "duplicate" }, // what was refused for good isn't sent again unasked
    claim: null,
    stored: stay("gone"),
    failed: stay("dead"),
    exhausted: stay("dead"),
    limited: stay("dead"),
    unreachable: stay("dead"),
    refused: stay("dead"),
    rejected: stay("dead"),
    corrupt: stay("dead"),
    stopped: stay("dead"),
    claim_lost: stay("dead"),
    ttl: stay("dead"),
    requeue: { to: "waiting", does: "reset" },
    drop: stay("gone"),
  },
  expired: {
    save: { to: "waiting", does: "reset" }, // asked for again: a new life
    claim: null,
    stored: stay("gone"),
    failed: stay("expired"),
    exhausted: stay("expired"),
    limited: stay("expired"),
    unreachable: stay("expired"),
    refused: stay("expired"),
    rejected: stay("dead"),
    corrupt: stay("dead"),
    stopped: stay("expired"),
    claim_lost: stay("expired"),
    ttl: stay("expired"),
    requeue: { to: "waiting", does: "reset" },
    drop: stay("gone"),
  },
  gone: {
    save: { to: "waiting", does: "reset" },
    claim: null,
    stored: stay("gone"),
    failed: stay("gone"), // dropped while it was under way
    exhausted: stay("gone"),
    limited: stay("gone"),
    unreachable: stay("gone"),
    refused: stay("gone"),
    rejected: stay("gone"),
    corrupt: stay("gone"),
    stopped: stay("gone"),
    claim_lost: stay("gone"),
    ttl: stay("gone"),
    requeue: stay("gone"),
    drop: stay("gone"),
  },
};

/** Where the retry service is. */
export const serviceStates = ["idle", "running", "parked", "paused", "stopped"] as const;
/** See {@link serviceStates}. */
export type ServiceState = (typeof serviceStates)[number];

/** What can happen to the service: its triggers, and how batches and single sends end. */
export const serviceEvents = [
  "startup",
  "session", // SIGNED_IN, TOKEN_REFRESHED, or a token that isn't the refused one
  "signed_out",
  "interval",
  "online",
  "manual",
  "single", // one item, just saved, asks to be sent without a batch
  "batch_done", // the batch ended by itself
  "auth_refused", // a request was refused, or there is no session to send with
  "pause_asked", // unreachable, Retry-After, or several failures in a row
  "batch_failed", // the folder or the code failed: recorded, and nothing else
  "stop",
] as const;
/** See {@link serviceEvents}. */
export type ServiceEvent = (typeof serviceEvents)[number];

/** What a cell of the service says. */
export interface ServiceCell {
  to: ServiceState;
  /**
   * `run`: start a batch. `run_if_due`: start one when the park's or pause's time is over, else say
   * that it was skipped. `go_if_due`: the same without a batch. `busy`: say so. `remember`: a session that came during a batch counts at its
   * end. `park`, `pause`: set the time. `abort`: stop what is under way.
   */
  does?: "run" | "run_if_due" | "go_if_due" | "busy" | "remember" | "park" | "pause" | "abort";
}

const to = (state: ServiceState, does?: ServiceCell["does"]): ServiceCell =>
  does ? { to: state, does } : { to: state };

/** Service: state × event → cell. */
export const serviceTransitions: Record<ServiceState, Record<ServiceEvent, ServiceCell>> = {
  idle: {
    startup: to("running", "run"),
    session: to("running", "run"),
    signed_out: to("parked", "park"),
    interval: to("running", "run"),
    online: to("running", "run"),
    manual: to("running", "run"),
    single: to("idle"),
    batch_done: to("idle"),
    auth_refused: to("parked", "park"),
    pause_asked: to("paused", "pause"),
    batch_failed: to("idle"),
    stop: to("stopped", "abort"),
  },
  running: {
    startup: to("running", "busy"),
    session: to("running", "remember"),
    signed_out: to("running"), // the next item finds no session, and parks
    interval: to("running", "busy"),
    online: to("running", "busy"),
    manual: to("running", "busy"),
    single: to("running"),
    batch_done: to("idle"),
    auth_refused: to("parked", "park"),
    pause_asked: to("paused", "pause"),
    batch_failed: to("idle"),
    stop: to("stopped", "abort"),
  },
  parked: {
    startup: to("parked", "run_if_due"),
    session: to("parked", "run_if_due"),
    signed_out: to("parked"),
    interval: to("parked", "run_if_due"),
    online: to("parked", "run_if_due"),
    manual: to("running", "run"),
    single: to("parked", "go_if_due"),
    batch_done: to("parked"), // the tail of a batch that parked
    auth_refused: to("parked"), // its other requests under way
    pause_asked: to("parked"),
    batch_failed: to("parked"),
    stop: to("stopped", "abort"),
  },
  paused: {
    startup: to("paused", "run_if_due"),
    session: to("paused", "run_if_due"),
    signed_out: to("parked", "park"),
    interval: to("paused", "run_if_due"),
    online: to("paused", "run_if_due"),
    manual: to("running", "run"),
    single: to("paused", "go_if_due"),
    batch_done: to("paused"),
    auth_refused: to("parked", "park"),
    pause_asked: to("paused", "pause"),
    batch_failed: to("paused"),
    stop: to("stopped", "abort"),
  },
  stopped: {
    startup: to("stopped"),
    session: to("stopped"),
    signed_out: to("stopped"),
    interval: to("stopped"),
    online: to("stopped"),
    manual: to("stopped"),
    single: to("stopped"),
    batch_done: to("stopped"),
    auth_refused: to("stopped"),
    pause_asked: to("stopped"),
    batch_failed: to("stopped"),
    stop: to("stopped"),
  },
};
