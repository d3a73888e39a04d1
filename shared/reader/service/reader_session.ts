import { SedimentError } from "../../errors.ts";

/** Who reads: the uploader's sessions are such ones, and a supabase-js client makes one in three lines. */
export interface ReaderSession {
  /**
   * The access token of now, or other headers that stand for it (a service's, which acts for a user); null when nobody
   * is signed in.
   */
  credential(): Promise<{ token: string; headers?: Record<string, string> } | null>;
}

/** Headers of a request. Throws `not_signed_in`, and what the session throws. */
export async function authorised(
  session: ReaderSession,
  key: string | undefined,
): Promise<Record<string, string>> {
  const credential = await session.credential();
  if (credential === null) {
    throw new SedimentError("not_signed_in", "there is no session to read with", {
      expected: "a user who is signed in",
    });
  }
  return {
    ...(key !== undefined && { apikey: key }),
    ...credential.headers ?? { authorization: `Bearer ${credential.token}` },
  };
}
