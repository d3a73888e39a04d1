/** A refused credential is renewed once, before the service parks. */
import type { Credential, Session } from "../session/session.ts";
import type { Verdict } from "./verdict.ts";

/**
 * Sends with a credential; where the service refuses that (401), once more with what the session has in its place.
 *
 * @returns the last verdict; the first when there is no other credential of the same user, or it can't be asked for
 */
export async function sendRenewed(
  session: Pick<Session, "renewed">,
  credential: Credential,
  send: (credential: Credential) => Promise<Verdict>,
): Promise<Verdict> {
  const verdict = await send(credential);
  if (verdict.kind !== "refused" || !verdict.wide || session.renewed === undefined) return verdict;
  const renewed = await session.renewed(credential).catch(() => null);
  const isOther = renewed !== null && renewed.fingerprint !== credential.fingerprint &&
    renewed.userId === credential.userId;
  return isOther ? await send(renewed) : verdict;
}
