/**
 * Tokens that ride in URLs: `key id . base64url(JSON) . base64url(HMAC-SHA-256)`. They carry what the next request
 * needs, so that it needs no look-up. A purpose is part of what is signed: an upload token opens no file.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { Buffer } from "node:buffer";
import type * as z from "zod";
import { SedimentError } from "../errors.ts";

/** What a token is for. */
export type TokenPurpose = "upload" | "content" | "asset";

/** Signs and checks tokens of one key. */
export interface TokenSigner {
  /**
   * @param expiresAt last moment at which {@link TokenSigner.open} takes it
   */
  sign(purpose: TokenPurpose, payload: unknown, expiresAt: Date): string;
  /**
   * The payload, checked by the schema.
   *
   * @throws SedimentError `token_invalid` when we did not sign it for this purpose, `token_expired`
   */
  open<T>(purpose: TokenPurpose, token: string, schema: z.ZodType<T>, now: Date): T;
}

/**
 * @param key signs and opens; a secret of 16 characters or more
 * @param previous opens what it has signed, until that expires: the key before a rotation
 */
export function createTokenSigner(key: string, ...previous: string[]): TokenSigner {
  const keys = new Map([...previous.toReversed(), key].map((secret) => [keyIdOf(secret), secret]));
  const keyId = keyIdOf(key);
  const mac = (secret: string, purpose: TokenPurpose, body: string) =>
    createHmac("sha256", secret).update(`sediment ${purpose} token\n${body}`).digest();
  return {
    sign(purpose, payload, expiresAt) {
      const body = Buffer.from(
        JSON.stringify({ e: Math.floor(expiresAt.getTime() / 1000), p: payload }),
      )
        .toString("base64url");
      return `${keyId}.${body}.${mac(key, purpose, body).toString("base64url")}`;
    },
    open(purpose, token, schema, now) {
      const [id, body, signature, ...rest] = token.split(".");
      const secret = keys.get(id ?? "");
      if (secret === undefined) throw invalid();
      const given = Buffer.from(signature ?? "", "base64url");
      const right = mac(secret, purpose, body ?? "");
      if (rest.length > 0 || given.length !== right.length || !timingSafeEqual(given, right)) {
        throw invalid();
      }
      const { e, p } = JSON.parse(Buffer.from(body!, "base64url").toString());
      if (now.getTime() >= e * 1000) {
        throw new SedimentError(
          "token_expired",
          `The token expired at ${new Date(e * 1000).toISOString()}`,
          { field: "token", expected: "a token that has not expired" },
        );
      }
      const parsed = schema.safeParse(p);
      // Signed by us, yet of another shape: made by another version of this code.
      if (!parsed.success) throw invalid();
      return parsed.data;
    },
  };
}

/** Names a key without telling of it. */
function keyIdOf(key: string): string {
  return createHmac("sha256", key).update("sediment token key id").digest("base64url").slice(0, 6);
}

/** A key for {@link createTokenSigner} made from a secret that has another use. */
export function deriveTokenKey(secretKey: string): string {
  return createHmac("sha256", secretKey).update("sediment url tokens").digest("base64url");
}

function invalid(): SedimentError {
  return new SedimentError("token_invalid", "The token was not made by this service for this use", {
    field: "token",
    expected: "the token of a URL that this service gave",
  });
}
