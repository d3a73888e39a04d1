import { strict as assert } from "node:assert";
import { writeOpenMetrics } from "../../shared/metrics/open_metrics.ts";

Deno.test("counters, gauges and histograms are written as OpenMetrics has them", () => {
  const text = writeOpenMetrics([
    {
      name: "uploads",
      type: "counter",
      help: "All.",
      samples: [{ labels: { outcome: "stored" }, value: 3 }],
    },
    {
      name: "age_seconds",
      type: "gauge",
      unit: "seconds",
      help: "Age.",
      samples: [{ value: 0.5 }],
    },
    {
      name: "took_seconds",
      type: "histogram",
      unit: "seconds",
      help: "Time.",
      bounds: [0.5, 1],
      buckets: [{ le: "1", count: 2, sum: 1.5 }, { le: "+Inf", count: 1, sum: 9 }],
    },
  ]);
  assert.equal(
    text,
    `# TYPE uploads counter
# HELP uploads All.
uploads_total{outcome="stored"} 3
# TYPE age_seconds gauge
# UNIT age_seconds seconds
# HELP age_seconds Age.
age_seconds 0.5
# TYPE took_seconds histogram
# UNIT took_seconds seconds
# HELP took_seconds Time.
took_seconds_bucket{le="0.5"} 0
took_seconds_bucket{le="1"} 2
took_seconds_bucket{le="+Inf"} 3
took_seconds_count 3
took_seconds_sum 10.5
# EOF
`,
  );
});

Deno.test("a label's value can't end its line", () => {
  const [, , line] = writeOpenMetrics([
    {
      name: "x",
      type: "gauge",
      help: "a\\b\nc",
      samples: [{ labels: { l: 'a"b\\c\nd' }, value: 1 }],
    },
  ]).split("\n");
  assert.equal(line, 'x{l="a\\"b\\\\c\\nd"} 1');
});
