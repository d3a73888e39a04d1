import { strict as assert } from "node:assert";
import { clientUrl } from "../../functions/services.ts";
import { httpWorld } from "../support/http_world.ts";

const request = new Request("http://edge.local/battle-data/latest");

Deno.test("a presigned S3 URL is handed out as it was signed, whatever the bases are", () => {
  for (
    const endpoint of [
      "https://account.r2.cloudflarestorage.com",
      "http://inside.local:8000/storage/v1/s3",
    ]
  ) {
    const { services } = httpWorld({
      env: {
        SEDIMENT_STORE: "s3",
        SEDIMENT_S3_ENDPOINT: endpoint,
        SEDIMENT_STORAGE_PUBLIC_URL: "https://files.example.com",
      },
    });
    const url = `${endpoint}/sediment/a.parquet?X-Amz-Signature=00`;
    assert.equal(clientUrl(services, request, url), url);
  }
});

Deno.test("a signed URL of Storage is moved to where clients reach Storage", () => {
  const inside = "http://inside.local:8000/storage/v1/object/sign/sediment/a?token=t";
  const moved = (env: Record<string, string>) =>
    clientUrl(httpWorld({ env }).services, request, inside);
  assert.equal(moved({}), "https://public.example/storage/v1/object/sign/sediment/a?token=t");
  assert.equal(
    moved({ SEDIMENT_STORAGE_PUBLIC_URL: "https://files.example.com" }),
    "https://files.example.com/storage/v1/object/sign/sediment/a?token=t",
  );
});
