import { strict as assert } from "node:assert";
import { pauseText } from "../../shared/uploader/cli/pause_text.ts";

Deno.test("a service that is being upgraded is not called unreachable", () => {
  const upgraded = { code: "schema_outdated", status: 503, message: "" };
  assert.equal(pauseText({ why: "offline", reason: upgraded }), "the service is being upgraded");
  const gone = { code: "server_unreachable", message: "" };
  assert.equal(pauseText({ why: "offline", reason: gone }), "the server can't be reached");
  assert.equal(pauseText({ why: "offline" }), "the server can't be reached");
});

Deno.test("what fails again and again is called by its code", () => {
  const reason = { code: "store_failed", status: 503, message: "" };
  assert.equal(pauseText({ why: "failing", reason }), "store_failed");
});
