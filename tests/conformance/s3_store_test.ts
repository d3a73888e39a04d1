/**
 * The S3 store on a real S3: that of S3_CONFORMANCE_ENDPOINT (with _REGION, _BUCKET, _ACCESS_KEY_ID and
 * _SECRET_ACCESS_KEY), else a Ceph of its own where Ceph is installed.
 */
import { AwsV4Signer } from "aws4fetch";

import type { ObjectStore } from "../../shared/storage/object_store.ts";
import { createS3Store } from "../../shared/storage/s3_store.ts";
import { objectStoreConformance } from "./object_store.ts";
import { objectUploadConformance } from "./object_upload.ts";
import { hasRadosGateway, startRadosGateway } from "./radosgw.ts";

const env = (name: string) => Deno.env.get(`S3_CONFORMANCE_${name}`);

if (env("ENDPOINT")) {
  const store = createS3Store({
    endpoint: env("ENDPOINT")!,
    region: env("REGION"),
    bucket: env("BUCKET") ?? "sediment",
    accessKeyId: env("ACCESS_KEY_ID") ?? "",
    secretAccessKey: env("SECRET_ACCESS_KEY") ?? "",
  });
  hold(`s3 store on ${env("ENDPOINT")}`, store);
} else if (hasRadosGateway()) {
  // Started here and not in a test: the daemons outlive each of them.
  const gateway = await startRadosGateway();
  globalThis.addEventListener("unload", () => gateway.stopNow());
  const location = { ...gateway, region: "us-east-1", bucket: "sediment" };
  await createBucket(location);
  hold("s3 store on Ceph", createS3Store(location));
} else {
  console.log("skipped: the S3 store on a real S3 (no S3_CONFORMANCE_ENDPOINT, no Ceph installed)");
}

function hold(name: string, store: ObjectStore): void {
  const open = () => Promise.resolve({ store, close: () => Promise.resolve() });
  objectStoreConformance(name, open);
  objectUploadConformance(name, open);
}

async function createBucket(
  { endpoint, bucket, ...keys }: {
    endpoint: string;
    bucket: string;
    region: string;
    accessKeyId: string;
    secretAccessKey: string;
  },
): Promise<void> {
  const url = `${endpoint}/${bucket}`;
  const signed = await new AwsV4Signer({ ...keys, service: "s3", method: "PUT", url }).sign();
  const answer = await fetch(signed.url, { method: "PUT", headers: signed.headers });
  if (!answer.ok) throw new Error(`could not create the bucket: ${await answer.text()}`);
  await answer.body?.cancel();
}
