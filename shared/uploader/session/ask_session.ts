/** What a session says when it is asked for a credential, and what its lack means for the service. */
import { asSedimentError } from "../../errors.ts";
import type { Credential, Session } from "./session.ts";
import type { Reason } from "../reason.ts";

/** There is no credential: nobody is signed in (the service parks), or it can't be asked (it pauses). */
export interface NoCredential {
  token: null;
  event: "auth_refused" | "pause_asked";
  reason: Reason;
}

/** Asks. Throws what the session throws for other reasons than the network. */
export async function askSession(session: Session): Promise<Credential | NoCredential> {
  try {
    const reason = { code: "not_signed_in", message: "there is no session to upload with" };
    return await session.credential() ?? { token: null, event: "auth_refused", reason };
  } catch (thrown) {
    const { code, message } = asSedimentError(thrown);
    if (code !== "server_unreachable") throw thrown;
    return { token: null, event: "pause_asked", reason: { code, message } };
  }
}
