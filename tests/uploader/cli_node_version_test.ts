import { strict as assert } from "node:assert";
import { refuseOldNode } from "../../shared/uploader/cli/node_version.ts";

Deno.test("a Node that lacks what the command line calls is told so, Deno and newer ones are not", () => {
  assert.match(refuseOldNode({ node: "20.20.2" }) ?? "", /Node 22 or later, and this is 20\.20\.2/);
  for (
    const versions of [{ node: "22.0.0" }, { node: "24.1.0" }, { node: "20.11.1", deno: "2.1.14" }]
  ) {
    assert.equal(refuseOldNode(versions), null);
  }
});
