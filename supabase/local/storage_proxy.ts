/**
 * A real Storage API behind the gateway, in place of the stand-in. It is told of callers as on a hosted project: by
 * HS256 tokens of its own secret (AUTH_JWT_SECRET, in older versions PGRST_JWT_SECRET).
 */
import { resolveCredentials } from "./gateway/credentials.ts";
import type { Service } from "./gateway/gateway.ts";
import { proxy } from "./gateway/proxy.ts";
import { createTokens } from "./gateway/tokens.ts";
import { stackError } from "./parts/stack_error.ts";
import type { StackKeys } from "./state/keys.ts";

/** Where a real Storage is, and what it verifies tokens with. */
export interface RealStorage {
  /** Such as `http://127.0.0.1:5000`; its paths follow without `/storage/v1`. */
  url: string;
  jwtSecret: string;
}

/** The bucket that a migration inserts into the stack's own database, which need not be that of the Storage. */
const bucket = { id: "sediment", name: "sediment", public: false, file_size_limit: 52_428_800 };

/** The real Storage that the environment names, for test suites, which start stacks by themselves. */
export function realStorageOf(env: { get(name: string): string | undefined }) {
  const url = env.get("SEDIMENT_LOCAL_STORAGE_URL");
  const jwtSecret = env.get("SEDIMENT_LOCAL_STORAGE_JWT_SECRET");
  return url && jwtSecret ? { url, jwtSecret } : undefined;
}

/**
 * The service that passes requests on; makes the bucket where there is none yet.
 *
 * @param issuer `iss` of users' tokens
 * @throws part_failed when the Storage doesn't answer, or refuses the secret
 */
export async function openStorageProxy(
  { url, jwtSecret, keys, issuer }: RealStorage & { keys: StackKeys; issuer: string },
): Promise<Service & { close(): void }> {
  const base = url.replace(/\/+$/, "");
  const tokens = await createTokens(keys.signing, jwtSecret, issuer);
  const authorization = `Bearer ${await tokens.forRole("service_role")}`;
  const ask = async (path: string, init: RequestInit = {}) => {
    const headers = { authorization, "content-type": "application/json" };
    try {
      return await fetch(base + path, { ...init, headers, signal: AbortSignal.timeout(10_000) });
    } catch (cause) {
      throw stackError("part_failed", `No Storage answers at ${url}: ${cause}`, "Start it", cause);
    }
  };
  const made = await ask("/bucket", { method: "POST", body: JSON.stringify(bucket) });
  const said = await made.text();
  if (!made.ok && !/Duplicate|already exists/i.test(said)) {
    throw stackError(
      "part_failed",
      `The Storage at ${url} refused to make the bucket: ${made.status} ${said}`,
      "Let it verify tokens with SEDIMENT_LOCAL_STORAGE_JWT_SECRET (its AUTH_JWT_SECRET)",
    );
  }
  return {
    async fetch(request) {
      const asked = new URL(request.url);
      const target = base + asked.pathname.replace(/^\/storage\/v1(?=\/)/, "") + asked.search;
      const forwarded = {
        "x-forwarded-host": asked.host,
        "x-forwarded-proto": asked.protocol.slice(0, -1),
        "x-forwarded-prefix": "/storage/v1",
      };
      const signed = request.headers.get("authorization") ?? "";
      // S3's signature is over the headers as they came.
      if (signed.startsWith("AWS4-HMAC-SHA256 ")) {
        return await proxy(request, target, signed, forwarded);
      }
      const who = await resolveCredentials(request, keys, tokens, false);
      // Without a caller Storage itself says what it refuses: signed URLs and public buckets need none.
      return await proxy(
        request,
        target,
        who.kind === "ok" ? who.authorization : undefined,
        forwarded,
      );
    },
    close() {},
  };
}
