/** The webhooks of `service_settings.alert_webhooks`, and what each kind is sent. */
import { createHash } from "node:crypto";
import * as z from "zod";
import type { Alert } from "../catalog/dead_letter_results.ts";

const url = z.url({ protocol: /^https?$/, error: "an http or https URL" });

/** One entry of the setting. */
export const webhookSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("slack"), url }),
  z.object({
    kind: z.literal("pagerduty"),
    /** PagerDuty's Events API v2. */
    url: url.default("https://events.pagerduty.com/v2/enqueue"),
    routing_key: z.string("the integration's key").min(1, "the integration's key"),
  }),
  z.object({ kind: z.literal("plain"), url }),
]);
export type Webhook = z.output<typeof webhookSchema>;

/** Names a webhook in what an alert keeps of it: of what it is made, not where it stands in the list. */
export function webhookId(webhook: Webhook): string {
  return createHash("sha256").update(JSON.stringify(webhook)).digest("hex").slice(0, 16);
}

/**
 * The JSON that a webhook is sent. PagerDuty's dedup_key is the alert's class and window, so that one that is
 * sent again opens no second incident (Events API v2, "Send an alert event"); of what begins and ends it is the beginning,
 * so that the end resolves what that has triggered.
 */
export function messageFor(webhook: Webhook, alert: Alert): unknown {
  const {
    dataset_id,
    table,
    period_tag,
    message,
    run_id,
    summary: own,
    incident,
    phase,
    opened_at,
  } = alert.payload as Record<string, string | null>;
  const place = table === null || table === undefined
    ? ""
    : ` in ${table}/${period_tag} of ${dataset_id}`;
  const times = alert.occurrences === 1 ? "" : ` (${alert.occurrences} times)`;
  const gaveUp = () => `Sediment gave up a run: ${alert.class}${place}${times}: ${message ?? ""}`;
  const summary = (own ?? gaveUp()).slice(0, 1024);
  switch (webhook.kind) {
    case "slack":
      return { text: escapeSlack(summary) };
    case "pagerduty":
      return {
        routing_key: webhook.routing_key,
        event_action: phase === "closed" ? "resolve" : "trigger",
        dedup_key: incident
          ? `sediment/${incident}/${opened_at}`
          : `sediment/${alert.class}/${alert.window_start}`,
        payload: {
          summary,
          source: "sediment",
          severity: "error",
          class: alert.class,
          group: dataset_id ?? undefined,
          component: table ?? undefined,
          custom_details: { ...alert.payload, occurrences: alert.occurrences, run_id },
        },
      };
    case "plain":
      return {
        type: "sediment.alert",
        id: alert.id,
        class: alert.class,
        window_start: alert.window_start,
        occurrences: alert.occurrences,
        summary,
        details: alert.payload,
      };
  }
}

/** Slack reads these three as markup. */
function escapeSlack(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
