import { strict as assert } from "node:assert";
import { SedimentError } from "../shared/errors.ts";

Deno.test("the message of an error can be stored, whatever name it quotes", () => {
  const cut = "🚢".slice(0, 1);
  const { message } = new SedimentError("invalid_parquet", `column ${cut}: a\0b 🚢`);
  assert.equal(message, "column \ufffd: a\ufffdb 🚢");
});
