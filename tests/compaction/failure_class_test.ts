import { strict as assert } from "node:assert";
import { sqlError } from "../../shared/catalog/sql_error.ts";
import {
  atPart,
  failedPart,
  failureClass,
  isPermanent,
} from "../../shared/compaction/run/failure_class.ts";
import { asSedimentError, SedimentError } from "../../shared/errors.ts";
import { createS3Store } from "../../shared/storage/s3_store.ts";
import { createSupabaseStore } from "../../shared/storage/supabase_store.ts";

/** What is thrown when a store answers so. */
async function storeAnswers(
  kind: "supabase" | "s3",
  status: number,
  body: string,
): Promise<SedimentError> {
  const fetch = () => Promise.resolve(new Response(body, { status }));
  const store = kind === "supabase"
    ? createSupabaseStore({ url: "http://x", secretKey: "sb_secret_x", bucket: "b", fetch })
    : createS3Store({
      endpoint: "http://x",
      bucket: "b",
      accessKeyId: "a",
      secretAccessKey: "s",
      fetch,
    });
  return await store.getRange("k", 0, 1).then(
    () => assert.fail("an answer was taken"),
    (thrown) => thrown as SedimentError,
  );
}

Deno.test("what the stores answer in an outage costs no attempt", async () => {
  const xml = (code: string) => `<Error><Code>${code}</Code></Error>`;
  const json = (statusCode: string, code: string) => JSON.stringify({ statusCode, code });
  for (
    const [kind, status, body] of [
      ["s3", 503, xml("SlowDown")],
      ["s3", 500, xml("InternalError")],
      ["s3", 403, xml("AccessDenied")],
      ["s3", 403, xml("RequestTimeTooSkewed")],
      ["s3", 401, ""],
      ["s3", 404, xml("NoSuchBucket")],
      ["supabase", 503, "<html>"],
      ["supabase", 400, json("403", "AccessDenied")],
      ["supabase", 401, JSON.stringify({ message: "Unregistered API key" })],
      ["supabase", 400, json("404", "NoSuchBucket")],
      ["supabase", 500, json("500", "DatabaseTimeout")],
      ["supabase", 429, json("429", "SlowDown")],
    ] as const
  ) {
    const error = await storeAnswers(kind, status, body);
    assert.equal(failureClass(error), "environment", `${kind} ${status} ${body}: ${error.code}`);
    assert.equal(isPermanent(error), false);
  }
});

Deno.test("what the catalog answers in an outage costs no attempt, and a broken rule does", () => {
  const classOf = (code: string, message = "x") =>
    failureClass(sqlError({ code, message }, "commit_compaction"));
  for (
    const code of [
      "PGRST000",
      "PGRST002",
      "PGRST003",
      "PGRST106",
      "PGRST202",
      "PGRST301",
      "PGRST303",
      "25006", // read only
      "53100", // disk full
      "53300", // too many connections
      "57014", // timeout
      "57P01", // shut down
      "08006", // connection
      "42501",
      "42883",
      "",
    ]
  ) assert.equal(classOf(code), "environment", code);
  for (const code of ["23505", "23514", "P0002", "22P02"]) {
    assert.equal(classOf(code), "work", code);
  }
  // our SQL raises broken rules with statuses that would say otherwise
  assert.equal(classOf("SD500", "merge_rows_differ"), "work");
  assert.equal(classOf("SD503", "store_failed"), "environment");
});

Deno.test("our own bugs are work: neither an input nor the environment pays for them", () => {
  for (const thrown of [new TypeError("x is undefined"), new RangeError("length")]) {
    assert.equal(failureClass(asSedimentError(thrown)), "work");
  }
  for (const code of ["invalid_name", "body_too_large", "invalid_config", "internal"] as const) {
    assert.equal(failureClass(new SedimentError(code, "x")), "work");
  }
});

Deno.test("a token from the future is met again at once, not dead-lettered", () => {
  const error = sqlError({ code: "PGRST303", message: "JWT issued at future" }, "claim_compaction");
  assert.equal(error.retryable, true);
});

Deno.test("the part that failed is the one where it was met", () => {
  const denied = new SedimentError("misconfigured", "403");
  assert.equal(failedPart(atPart(denied, "store_write")), "store_write");
  assert.equal(failedPart(denied), "host");
  assert.equal(failedPart(new SedimentError("catalog_failed", "x")), "catalog");
  assert.equal(failedPart(new SedimentError("aborted", "x")), null, "a stop is no failure");
  const work = new SedimentError("merge_rows_differ", "x");
  assert.equal(atPart(work, "store_read"), work);
});

Deno.test("an output that the store refuses for its size is our own work, and is tried again smaller", async () => {
  const answers = [
    ["supabase", 413, JSON.stringify({ statusCode: "413", message: "too large" })],
    ["supabase", 400, JSON.stringify({ statusCode: "413", code: "EntityTooLarge" })],
    ["s3", 400, "<Error><Code>EntityTooLarge</Code></Error>"],
    ["s3", 413, ""],
  ] as const;
  for (const [kind, status, body] of answers) {
    const error = await storeAnswers(kind, status, body);
    assert.equal(error.code, "body_too_large", `${kind} ${status}`);
    assert.equal(failureClass(error), "work");
    assert.equal(isPermanent(error), false);
  }
});
