/** Sends what is due of the alerts to every webhook, and tells the catalog how it went. Never throws. */
import type { Catalog } from "../catalog/catalog.ts";
import { asSedimentError } from "../errors.ts";
import { type PostOptions, postWebhook } from "./post_webhook.ts";
import { messageFor, webhookSchema } from "./webhook.ts";

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
}

/** Alerts of one call; what is left waits for the next. */
const batch = 5;

/**
 * Sends. An alert counts as sent when all webhooks took it; otherwise all get it again after the catalog's
 * back-off: at least once each. Without webhooks alerts stay in the table as sent.
 *
 * @param options.timeoutMs for each webhook @default 5000
 */
export async function sendAlerts(
  ports: AlertPorts,
  { timeoutMs }: { timeoutMs?: number } = {},
): Promise<AlertReport> {
  const report: AlertReport = { sent: 0, failed: 0, errors: [] };
  try {
    const claimed = await ports.catalog.claimAlerts({ limit: batch });
    const { alerts, webhooks, private_addresses: privateAddresses } = claimed;
    await Promise.all(alerts.map(async (alert) => {
      const errors = (await Promise.all(webhooks.map(async (entry, index) => {
        const webhook = webhookSchema.safeParse(entry);
        if (!webhook.success) {
          const { path, message } = webhook.error.issues[0]!;
          return `webhook ${index}: ${path.join(".")}: ${message}`;
        }
        try {
          await postWebhook(webhook.data.url, messageFor(webhook.data, alert), {
            ...ports,
            privateAddresses,
            timeoutMs,
          });
        } catch (thrown) {
          return `webhook ${index}: ${asSedimentError(thrown).message}`;
        }
      }))).filter((error) => error !== undefined);
      const sent = errors.length === 0;
      await ports.catalog.finishAlert({
        alert: alert.id,
        sent,
        error: sent ? null : errors.join("; "),
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
