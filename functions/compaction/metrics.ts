/** `GET /compaction/metrics`: what Prometheus scrapes. */
import { SedimentError } from "../../shared/errors.ts";
import { bearerToken } from "../../shared/http/authenticate.ts";
import { sameSecret } from "../../shared/http/same_secret.ts";
import { openMetricsType, writeOpenMetrics } from "../../shared/metrics/open_metrics.ts";
import { serviceMetrics } from "../../shared/metrics/service_metrics.ts";
import type { Services } from "../services.ts";

/**
 * The deployment's metrics, for the holder of SEDIMENT_METRICS_KEY alone: scrapers send a bearer token and no header of
 * their own (Prometheus since 2.55 can), and a project's secret key has no business in one's configuration.
 */
export async function serveMetrics(services: Services, request: Request): Promise<Response> {
  const key = services.env.SEDIMENT_METRICS_KEY;
  if (key === undefined) {
    throw new SedimentError("not_found", "Metrics are off", {
      field: "SEDIMENT_METRICS_KEY",
      expected: "a key in the functions' environment",
    });
  }
  const token = bearerToken(request.headers);
  if (token === null || !sameSecret(token, key)) {
    throw new SedimentError("unauthenticated", "The metrics key is needed", {
      field: "authorization",
      expected: "Bearer and the value of SEDIMENT_METRICS_KEY",
    });
  }
  const metrics = await services.catalog.readMetrics({}, { signal: request.signal });
  return new Response(writeOpenMetrics(serviceMetrics(metrics)), {
    headers: { "content-type": openMetricsType, "cache-control": "no-store" },
  });
}
