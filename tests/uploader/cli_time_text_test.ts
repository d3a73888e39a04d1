import { strict as assert } from "node:assert";
import {
  DateDay,
  TimestampMicrosecond,
  TimestampMillisecond,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import { timeText } from "../../shared/uploader/cli/time_text.ts";

const at = Date.UTC(2024, 10, 25, 8, 30, 0, 7);

Deno.test("times of Arrow are shown as ISO 8601: instants with their zone, others without, dates as dates", () => {
  const cases = [
    [new TimestampMillisecond("UTC"), "2024-11-25T08:30:00.007Z"],
    [new TimestampMicrosecond("UTC"), "2024-11-25T08:30:00.007Z"],
    [new TimestampMicrosecond(), "2024-11-25T08:30:00.007"],
    [new DateDay(), "2024-11-25"],
  ] as const;
  for (const [type, shown] of cases) {
    assert.equal(timeText(String(type), vectorFromArray([at], type).get(0)), shown, String(type));
  }
});

Deno.test("what is no time, and a time that no Date can be, is left to be shown as it is", () => {
  assert.equal(timeText(String(new Utf8()), "2024"), null);
  assert.equal(timeText("Int64", 5n), null);
  assert.equal(timeText("Timestamp<MILLISECOND, UTC>", null), null);
  assert.equal(timeText("Timestamp<MILLISECOND, UTC>", 8.64e15 + 1), null);
  assert.equal(timeText("Timestamp<MILLISECOND, UTC>", NaN), null);
});
