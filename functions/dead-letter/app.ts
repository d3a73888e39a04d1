/**
 * Drains the dead letters' queue: every message is archived, a class of error is alerted once a window. Then
 * what is due of the alerts is sent to the webhooks; one that fails keeps nothing from being drained.
 */
import { sendAlerts } from "../../shared/alerts/send_alerts.ts";
import { createHttpApp, type HttpApp, refuseOtherMethods } from "../../shared/http/http_app.ts";
import type { Services } from "../services.ts";

/** Messages taken at a time. */
const batch = 5;

/** Batches of one call; what is left waits for the next. */
const maxBatches = 20;

/** For all of a call: a catalog that hangs must not keep the isolate. */
const deadlineMs = 30_000;

/** The app of `dead-letter`. */
export function createDeadLetterApp(services: Services): HttpApp {
  const app = createHttpApp("dead-letter", services);
  app.post("/", async (c) => {
    await services.auth.service(c.req.raw);
    const signal = AbortSignal.timeout(deadlineMs);
    const total = { drained: 0, alerts: 0, more: true };
    for (let n = 0; n < maxBatches && total.more; n++) {
      const { drained, alerts, more } = await services.catalog.drainDeadLetters(
        { limit: batch },
        { signal },
      );
      total.drained += drained;
      total.alerts += alerts;
      total.more = more;
    }
    const alerts = await sendAlerts({ catalog: services.catalog }, { signal });
    for (const error of alerts.errors) {
      console.error(JSON.stringify({ level: "error", alert: error }));
    }
    return c.json({ ...total, alerts_sent: alerts.sent, alerts_failed: alerts.failed });
  });
  refuseOtherMethods(app, "/", ["POST"]);
  return app;
}
