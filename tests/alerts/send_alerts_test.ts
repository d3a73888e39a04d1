import { strict as assert } from "node:assert";
import { sendAlerts } from "../../shared/alerts/send_alerts.ts";
import type { Alert } from "../../shared/catalog/dead_letter_results.ts";
import { SedimentError } from "../../shared/errors.ts";

const alert: Alert = {
  id: 7,
  class: "store_failed",
  window_start: "2026-11-22T02:00:00Z",
  occurrences: 3,
  payload: { message: "<the store> is down", dataset_id: "d1", table: "battles", period_tag: "0" },
  attempt: 1,
  taken: [],
};

// deno-lint-ignore no-explicit-any -- whatever was sent
type Sent = Record<string, any>;

async function sent(webhooks: unknown[], alerts = [alert], answer = () => new Response("ok")) {
  const bodies: { url: string; body: Sent }[] = [];
  const finished: unknown[] = [];
  const report = await sendAlerts({
    catalog: {
      claimAlerts: () =>
        Promise.resolve({ alerts, webhooks: webhooks as never, private_addresses: true }),
      finishAlert: (args) => {
        finished.push(args);
        return Promise.resolve({ state: args.sent ? "sent" : "pending" });
      },
    },
    fetch: (input, init) => {
      bodies.push({ url: String(input), body: JSON.parse(String(init?.body)) });
      return Promise.resolve(answer());
    },
  });
  return { report, bodies, finished };
}

Deno.test("each kind of webhook gets its own JSON", async () => {
  const { bodies, finished, report } = await sent([
    { kind: "slack", url: "https://hooks.slack.example/x" },
    { kind: "pagerduty", routing_key: "R" },
    { kind: "plain", url: "https://plain.example/" },
  ]);
  const [slack, pagerduty, plain] = bodies;
  assert.match(slack.body.text, /store_failed.*battles\/0.*3 times.*&lt;the store&gt;/);
  assert.equal(pagerduty.url, "https://events.pagerduty.com/v2/enqueue");
  assert.equal(pagerduty.body.routing_key, "R");
  assert.equal(pagerduty.body.event_action, "trigger");
  assert.equal(pagerduty.body.dedup_key, "sediment/store_failed/2026-11-22T02:00:00Z");
  assert.equal(pagerduty.body.payload.severity, "error");
  assert.ok(pagerduty.body.payload.summary.length <= 1024 && pagerduty.body.payload.source);
  assert.deepEqual(plain.body.details, alert.payload);
  const [{ taken, ...told }] = finished as { taken: string[] }[];
  assert.deepEqual(told, { alert: 7, sent: true, error: null });
  assert.equal(new Set(taken).size, 3);
  assert.deepEqual(report, { sent: 1, failed: 0, errors: [], webhooks: 3 });
});

Deno.test("the end of an incident resolves in PagerDuty what its beginning triggered", async () => {
  const opened_at = "2026-11-22T02:00:00Z";
  const told = (phase: string, window_start: string) => ({
    ...alert,
    class: `read_only_${phase}`,
    window_start,
    payload: { summary: phase, incident: "read_only", phase, opened_at },
  });
  const { bodies } = await sent(
    [{ kind: "pagerduty", routing_key: "R" }],
    [told("opened", opened_at), told("closed", "2026-11-22T02:09:00Z")],
  );
  assert.deepEqual(
    bodies.map(({ body }) => [body.event_action, body.dedup_key, body.payload.summary]),
    [
      ["trigger", `sediment/read_only/${opened_at}`, "opened"],
      ["resolve", `sediment/read_only/${opened_at}`, "closed"],
    ],
  );
});

Deno.test("a webhook that fails is told to the catalog, and the others are sent", async () => {
  let calls = 0;
  const { bodies, finished } = await sent(
    [{ kind: "plain", url: "https://a.example" }, { kind: "plain", url: "https://b.example" }],
    [alert],
    () => new Response("", { status: calls++ === 0 ? 503 : 200 }),
  );
  assert.equal(bodies.length, 2);
  const [{ taken, ...told }] = finished as { taken: string[] }[];
  assert.deepEqual(told, { alert: 7, sent: false, error: "webhook 0: a.example answered 503" });
  assert.equal(taken.length, 1);
});

Deno.test("a webhook that took an alert does not get it again while another fails", async () => {
  const webhooks = [
    { kind: "slack", url: "https://a.example/x" },
    { kind: "plain", url: "https://b.example/" },
  ];
  let calls = 0;
  const first = await sent(
    webhooks,
    [alert],
    () => new Response("", { status: calls++ === 0 ? 200 : 503 }),
  );
  const { taken } = first.finished[0] as { taken: string[] };
  const second = await sent(webhooks, [{ ...alert, attempt: 2, taken }]);
  assert.deepEqual(second.bodies.map(({ url }) => url), ["https://b.example/"]);
  assert.equal((second.finished[0] as { sent: boolean }).sent, true);
});

Deno.test("a stop ends the sending, and the alert is told as not sent", async () => {
  const stop = new AbortController();
  const finished: { sent: boolean | null }[] = [];
  const report = await sendAlerts({
    catalog: {
      claimAlerts: () =>
        Promise.resolve({
          alerts: [alert],
          webhooks: [{ kind: "plain", url: "https://a.example" }],
          private_addresses: true,
        }),
      finishAlert: (args) => {
        finished.push(args);
        return Promise.resolve({ state: "pending" });
      },
    },
    fetch: (_, init) =>
      new Promise((_, reject) => {
        init!.signal!.addEventListener("abort", () => reject(init!.signal!.reason));
        stop.abort();
      }),
  }, { signal: stop.signal });
  assert.equal(report.failed, 1);
  assert.deepEqual(finished.map(({ sent }) => sent), [false]);
});

Deno.test("a webhook that is written wrong is an error with the place, not an exception", async () => {
  const { finished, bodies } = await sent([
    { kind: "pagerduty" },
    { kind: "fax", url: "https://x.example" },
    { kind: "plain", url: "ftp://x.example" },
    "https://x.example",
  ]);
  assert.equal(bodies.length, 0);
  const { error } = finished[0] as { error: string };
  assert.match(error, /webhook 0: routing_key.*webhook 1: kind.*webhook 2: url.*webhook 3: /);
});

Deno.test("nothing is thrown when the catalog is away", async () => {
  const report = await sendAlerts({
    catalog: {
      claimAlerts: () => Promise.reject(new SedimentError("catalog_failed", "away")),
      finishAlert: () => Promise.reject(new Error("not reached")),
    },
  });
  assert.deepEqual(report, { sent: 0, failed: 0, errors: ["away"], webhooks: 0 });
});
