/** The stores that are held to `object_store.ts`. Those that need a server of their own say so when skipped. */
import { createMemoryStore } from "../support/memory_store.ts";
import { createS3Store } from "../../shared/storage/s3_store.ts";
import { createSupabaseStore } from "../../shared/storage/supabase_store.ts";
import { createS3Double } from "../storage/s3_double.ts";
import { freshStandIn } from "../storage/fresh_stand_in.ts";
import { secretKey } from "../storage/serve_stand_in.ts";
import { objectStoreConformance } from "./object_store.ts";
import { objectUploadConformance } from "./object_upload.ts";

const maxObjectBytes = 24_000_000;

const memoryStore = () =>
  Promise.resolve({
    store: createMemoryStore({ maxObjectBytes, uploads: true }),
    close: () => Promise.resolve(),
    fetchable: false,
    maxObjectBytes,
  });
objectStoreConformance("memory store", memoryStore);
objectUploadConformance("memory store", memoryStore);

objectStoreConformance("supabase store on the Storage stand-in", async () => {
  const { url, close } = await freshStandIn({ maxObjectBytes });
  return {
    store: createSupabaseStore({ url, secretKey, bucket: "sediment" }),
    close,
    maxObjectBytes,
  };
});

// Against a double, so that the S3 store is tried everywhere; s3_store_test.ts has the real ones.
const s3OnDouble = (equalParts: boolean) => () =>
  Promise.resolve({
    store: createS3Store({
      endpoint: "https://s3.test",
      bucket: "b",
      accessKeyId: "id",
      secretAccessKey: "secret",
      fetch: createS3Double({ equalParts }).fetch,
      equalParts,
      partTries: { waitMs: 1 },
    }),
    close: () => Promise.resolve(),
    fetchable: false,
  });
objectStoreConformance("s3 store on a double", s3OnDouble(false));
objectUploadConformance("s3 store on a double", s3OnDouble(false));
objectUploadConformance("s3 store on a double of R2", s3OnDouble(true));
