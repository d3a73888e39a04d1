/**
 * The tokens in signed URLs: JWTs (HS256) over the object's path. Download and upload tokens carry a scope,
 * so that neither opens the other's door, as newer versions of the real API do.
 */
import { errors, jwtVerify, SignJWT } from "jose";

import { StorageApiError } from "./errors.ts";

/** What a token stands for. */
export interface SignedGrant {
  /** `bucket/key`. */
  url: string;
  scope: "download" | "upload";
  /** For uploads: whether an object may be replaced. */
  upsert?: boolean;
  /** For uploads: `sub` of the signer. */
  owner?: string;
  /** Seconds since 1970. */
  exp: number;
}

/** Signs and checks the tokens of one stand-in. */
export class TokenSigner {
  readonly #secret: Uint8Array;

  /** @param secret at least 32 characters; the same after a restart, or signed URLs die with it */
  constructor(secret: string) {
    this.#secret = new TextEncoder().encode(secret);
  }

  /** A token that is good for that many seconds. */
  sign(grant: Omit<SignedGrant, "exp">, expiresInSeconds: number): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ ...grant })
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .setIssuedAt(now)
      .setExpirationTime(now + expiresInSeconds)
      .sign(this.#secret);
  }

  /** The grant of a token; throws `InvalidJWT`, or `InvalidSignature` when it is for another path or use. */
  async verify(
    token: string | null | undefined,
    scope: SignedGrant["scope"],
    url: string,
  ): Promise<SignedGrant> {
    if (!token) {
      throw new StorageApiError(
        "InvalidRequest",
        "querystring must have required property 'token'",
      );
    }
    let grant: SignedGrant;
    try {
      const { payload } = await jwtVerify<SignedGrant>(token, this.#secret, {
        algorithms: ["HS256"],
        requiredClaims: ["exp", "url", "scope"],
      });
      grant = payload;
    } catch (thrown) {
      if (!(thrown instanceof errors.JOSEError)) throw thrown;
      throw new StorageApiError("InvalidJWT", thrown.message, thrown);
    }
    if (grant.scope !== scope || grant.url !== url) throw new StorageApiError("InvalidSignature");
    return grant;
  }
}
