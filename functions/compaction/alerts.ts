/** `POST /compaction/alerts/test`: whether alerts arrive. */
import { sendAlerts } from "../../shared/alerts/send_alerts.ts";
import type { Services } from "../services.ts";

/** For all webhooks together. */
const deadlineMs = 30_000;

/** Sends an alert of class `test` to every webhook, once, and answers how it went. */
export async function sendTestAlert(services: Services, request: Request): Promise<Response> {
  await services.auth.service(request);
  const signal = AbortSignal.timeout(deadlineMs);
  const alert = await services.catalog.raiseTestAlert({}, { signal });
  const { sent, errors, webhooks } = await sendAlerts(services, { signal, alert });
  return Response.json({ sent: sent === 1 && webhooks > 0, webhooks, errors }, {
    headers: { "cache-control": "no-store" },
  });
}
