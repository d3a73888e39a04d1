/** Sends what is due of the alerts to every webhook, and tells the catalog how it went. Never throws. */
import type { Catalog } from "../catalog/catalog.ts";
import { asSedimentError } from "../errors.ts";
import { type PostOptions, postWebhook } from "./post_webhook.ts";
import { messageFor, webhookId, webhookSchema } from "./webhook.ts";

/** Ports of the sending. */
export interface AlertPorts {
  catalog: Pick<Catalog, "claimAlerts" | "finishAlert">;
  fetch?: typeof fetch;
  resolve?: PostOptions["resolve"];
}

/** What became of the alerts of one call. */
export interface AlertReport {
  /** Every webhook took it. */
  sent: number;
  /** Tried again later, or given up: the catalog counts the attempts. */
  failed: number;
  /** What went wrong, a line a webhook. */
  errors: string[];
  /** How many webhooks are configured. */
  webhooks: number;
}

/** Alerts of one call; what is left waits for the next. */
const batch = 5;

/** Bounds of the sending. */
export interface SendOptions {
  /** For each webhook, milliseconds. @default 5000 */
  timeoutMs?: number;
  /** Stops what is being sent; it is told as not sent. */
  signal?: AbortSignal;
  /** The id of the one alert to send. @default all that are due */
  alert?: number;
}

/**
 * Sends. An alert counts as sent when all webhooks took it; otherwise those that did not get it again after the
 * catalog's back-off. One that took it gets it twice only where its answer, or ours to the catalog, was lost.
 * Without webhooks alerts stay in the table as sent.
 */
export async function sendAlerts(
  ports: AlertPorts,
  { timeoutMs, signal, alert: only }: SendOptions = {},
): Promise<AlertReport> {
  const report: AlertReport = { sent: 0, failed: 0, errors: [], webhooks: 0 };
  try {
    const claimed = await ports.catalog.claimAlerts(
      only === undefined ? { limit: batch } : { alert: only },
      { signal },
    );
    const { alerts, webhooks, private_addresses: privateAddresses } = claimed;
    report.webhooks = webhooks.length;
    await Promise.all(alerts.map(async (alert) => {
      const taken: string[] = [];
      const errors = (await Promise.all(webhooks.map(async (entry, index) => {
        const webhook = webhookSchema.safeParse(entry);
        if (!webhook.success) {
          const { path, message } = webhook.error.issues[0]!;
          return `webhook ${index}: ${path.join(".")}: ${message}`;
        }
        const id = webhookId(webhook.data);
        if (alert.taken.includes(id)) return;
        try {
          await postWebhook(webhook.data.url, messageFor(webhook.data, alert), {
            fetch: ports.fetch,
            resolve: ports.resolve,
            privateAddresses,
            timeoutMs,
            signal,
          });
          taken.push(id);
        } catch (thrown) {
          return `webhook ${index}: ${asSedimentError(thrown).message}`;
        }
      }))).filter((error) => error !== undefined);
      const sent = errors.length === 0;
      await ports.catalog.finishAlert({
        alert: alert.id,
        sent,
        error: sent ? null : errors.join("; "),
        taken,
      });
      report[sent ? "sent" : "failed"]++;
      report.errors.push(...errors);
    }));
  } catch (thrown) {
    // Not told: the alert's lease runs out and the next call takes it.
    report.errors.push(asSedimentError(thrown).message);
  }
  return report;
}
