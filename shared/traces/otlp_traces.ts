/**
 * Requests as spans for an OpenTelemetry collector: OTLP over HTTP as JSON (opentelemetry-proto 1.x, `/v1/traces`), each sent
 * once, after its answer. What can't be sent within a second is dropped: no request waits for its trace.
 */

/** A request that was answered. */
export interface RequestSpan {
  /** The function that answered. */
  name: string;
  method: string;
  /**
   * What answers, such as `/compaction/status/:id`; null: nothing does. Not the path itself: names and ids are the
   * caller's, and whoever is nobody could have the collector keep any number of routes.
   */
  route: string | null;
  status: number;
  requestId: string;
  /** The caller's `traceparent` (W3C Trace Context), or null: a trace of its own. */
  traceparent: string | null;
  /** Milliseconds since 1970. */
  begunAt: number;
  ms: number;
}

/** Where traces go. */
export interface TraceSettings {
  /** The collector's base, as OTEL_EXPORTER_OTLP_ENDPOINT has it. */
  endpoint: string;
  /** Sent along, such as a key of the collector. */
  headers?: Record<string, string>;
  version: string;
}

const deadlineMs = 1_000;
/** Requests to the collector at once: where it is slow, the others' spans are dropped. */
const mostAtOnce = 16;

/** Kinds and states of `opentelemetry.proto.trace.v1`. */
const server = 2, failed = 2;

/** What a span calls by its name; any other method is `_OTHER`, as OpenTelemetry's conventions have it. */
const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Sends spans; what it gives resolves when one was sent or dropped, and never rejects. */
export function createTraces(settings: TraceSettings): (span: RequestSpan) => Promise<void> {
  const url = `${settings.endpoint.replace(/\/+$/, "")}/v1/traces`;
  let underWay = 0;
  return async (span) => {
    if (underWay >= mostAtOnce) return;
    underWay++;
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { ...settings.headers, "content-type": "application/json" },
        body: JSON.stringify(exportOf(span, settings.version)),
        signal: AbortSignal.timeout(deadlineMs),
      });
      await response.body?.cancel();
    } catch {
      // dropped: a trace is worth no second try
    } finally {
      underWay--;
    }
  };
}

/** An ExportTraceServiceRequest of one span. */
export function exportOf(span: RequestSpan, version: string): Record<string, unknown> {
  const [, traceId = hex(16), parentSpanId] =
    /^[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}/
      .exec(span.traceparent ?? "") ?? [];
  const method = methods.has(span.method) ? span.method : "_OTHER";
  const nanoseconds = (ms: number) => `${BigInt(Math.round(ms * 1000)) * 1000n}`;
  return {
    resourceSpans: [{
      resource: {
        attributes: attributes({ "service.name": "sediment", "service.version": version }),
      },
      scopeSpans: [{
        scope: { name: "sediment", version },
        spans: [{
          traceId,
          spanId: hex(8),
          ...(parentSpanId !== undefined && { parentSpanId }),
          name: [method === "_OTHER" ? "HTTP" : method, span.route].filter(Boolean).join(" "),
          kind: server,
          startTimeUnixNano: nanoseconds(span.begunAt),
          endTimeUnixNano: nanoseconds(span.begunAt + span.ms),
          attributes: attributes({
            "http.request.method": method,
            ...(span.route !== null && { "http.route": span.route }),
            "http.response.status_code": span.status,
            "faas.name": span.name,
            "sediment.request_id": span.requestId,
          }),
          status: span.status >= 500 ? { code: failed } : {},
        }],
      }],
    }],
  };
}

function attributes(values: Record<string, string | number>) {
  return Object.entries(values).map(([key, value]) => ({
    key,
    value: typeof value === "number" ? { intValue: String(value) } : { stringValue: value },
  }));
}

function hex(bytes: number): string {
  return Array.from(
    crypto.getRandomValues(new Uint8Array(bytes)),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
}
