import { strict as assert } from "node:assert";
import { sqlError } from "../../shared/catalog/sql_error.ts";
import { errorKinds } from "../../shared/errors.ts";
import { schemaFiles } from "../../supabase/migrate/schema_files.ts";

Deno.test("an error that a SQL function raised keeps its code, detail and expectation", () => {
  const error = sqlError({
    code: "SD403",
    message: "dataset_forbidden",
    details: "dataset x belongs to another user",
    hint: "",
  }, "stage_upload");
  assert.equal(error.code, "dataset_forbidden");
  assert.equal(error.status, 403);
  assert.equal(error.message, "dataset x belongs to another user");
});

Deno.test("an error of the catalog names its field, and what was expected by its hint before all else", () => {
  const raised = (status: number, message: string, hint = "") => {
    const error = sqlError({ code: `SD${status}`, message, details: "no", hint }, "list_files");
    return [error.field, error.expected];
  };
  assert.deepEqual(raised(403, "dataset_forbidden"), ["dataset_id", "a dataset of yours"]);
  assert.deepEqual(raised(400, "invalid_cursor", "a next_cursor"), ["cursor", "a next_cursor"]);
  assert.deepEqual(raised(410, "version_gone", "version 7 or later"), [
    "version",
    "version 7 or later",
  ]);
  assert.deepEqual(raised(410, "stage_expired"), [undefined, "a new upload, from step 1"]);
  assert.deepEqual(raised(409, "lease_lost"), [undefined, undefined]);
});

Deno.test("a limit says when to try again", () => {
  const error = sqlError({
    code: "SD429",
    message: "rate_limited",
    details: "over 3 uploads a minute",
    hint: "retry after 17 s",
  }, "stage_upload");
  assert.equal(error.retryAfterSeconds, 17);
  assert.ok(error.retryable);
});

Deno.test("errors that nobody raised on purpose are told apart by who can mend them", () => {
  const expected: [string, string][] = [
    ["22P02", "invalid_request"],
    ["23502", "invalid_request"],
    ["42883", "misconfigured"],
    ["PGRST202", "misconfigured"],
    ["PGRST301", "misconfigured"],
    ["42501", "misconfigured"],
    ["23514", "internal"],
    ["P0002", "internal"],
    ["40P01", "catalog_failed"],
    ["57014", "catalog_failed"],
    ["08006", "catalog_failed"],
    ["", "catalog_failed"],
  ];
  for (const [code, word] of expected) {
    assert.equal(sqlError({ code, message: "said" }, "tick").code, word, code);
  }
});

Deno.test("a word that is no code of ours is not taken for one", () => {
  assert.equal(sqlError({ code: "SD400", message: "toString" }, "tick").code, "catalog_failed");
});

Deno.test("every code that the SQL functions raise is in shared/errors.ts with the same status", async () => {
  let raised = 0;
  for (const { name, text } of await schemaFiles()) {
    for (const [, code, status] of text.matchAll(/sediment\.fail\('(\w+)',\s*(\d{3})/g)) {
      raised++;
      const kind = errorKinds[code as keyof typeof errorKinds];
      assert.ok(kind, `${name} raises ${code}`);
      assert.equal(String(kind.status), status, `${name} raises ${code}`);
    }
  }
  assert.ok(raised > 30);
});
