/** What the SQL functions of dead letters, alerts and quarantine answer. */
import * as z from "zod";
import { count, id, json, time, uuid } from "./values.ts";

export const drained = z.object({ drained: count, alerts: count, more: z.boolean() });

/** An alert to be sent; `payload` says what happened first in its window. */
export const alert = z.object({
  id,
  class: z.string(),
  window_start: time,
  occurrences: count,
  payload: z.record(z.string(), json),
  attempt: count,
  /** The webhooks that have it already. */
  taken: z.array(z.string()),
});
export type Alert = z.output<typeof alert>;

/** `webhooks` is what service_settings holds; the sender checks it. */
export const claimedAlerts = z.object({
  alerts: z.array(alert),
  webhooks: z.array(json),
  private_addresses: z.boolean(),
});

/** Its id. */
export const raisedAlert = id;

export const finishedAlert = z.object({ state: z.enum(["pending", "sent", "failed"]) });

export const redriven = z.object({
  redriven: z.array(z.object({
    id,
    run_id: uuid,
    dataset_id: uuid,
    table: z.string(),
    period_tag: z.string(),
  })),
  skipped: z.array(z.object({ id, reason: z.enum(["not_found", "resolved", "no_partition"]) })),
  more: z.boolean(),
});

export const dropped = z.object({
  dropped: z.array(id),
  skipped: z.array(z.object({ id, reason: z.enum(["not_found", "resolved"]) })),
});

export const deadLetters = z.object({
  /** Counted up to 1,000. */
  open: count,
  letters: z.array(z.object({
    id,
    dataset_id: uuid.nullable(),
    table: z.string().nullable(),
    period_tag: z.string().nullable(),
    run_id: uuid.nullable(),
    error_code: z.string(),
    error_message: z.string().nullable(),
    error_step: z.string().nullable(),
    attempts: count,
    first_failed_at: time,
    last_failed_at: time,
  })),
  next_cursor: z.string().nullable(),
});

export const retried = z.object({
  dataset_id: uuid,
  files: z.array(id),
  requested: z.array(z.object({ table: z.string(), period_tag: z.string(), metricId: uuid })),
});
