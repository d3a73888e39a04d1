/** `/battle-data/datasets/:id/members`, `…/invitations` and `POST /battle-data/invitations/accept`. */
import { actingUser, readingUser } from "../../shared/http/authenticate.ts";
import { readJson } from "../../shared/http/read_json.ts";
import { datasetIdSchema, nameSchema, uuidSchema } from "../../shared/protocol/fields.ts";
import { acceptanceSchema, invitationSchema, renameSchema } from "../../shared/protocol/members.ts";
import { validate } from "../../shared/protocol/validate.ts";
import type { Services } from "../services.ts";

const uncached = { "cache-control": "no-store" };

/** Who shares a dataset. */
export async function serveMembers(
  services: Services,
  request: Request,
  dataset: string,
): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const members = await services.catalog.listMembers({
    user: readingUser(caller),
    dataset: validate(datasetIdSchema, dataset),
  });
  return Response.json(members, { headers: uncached });
}

/** Offers a role, or the dataset itself. */
export async function inviteMember(
  services: Services,
  request: Request,
  dataset: string,
): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const { role, user_id, keep_role, expires_in } = await readJson(request, invitationSchema);
  const invitation = await services.catalog.inviteMember({
    user: readingUser(caller),
    dataset: validate(datasetIdSchema, dataset),
    role,
    invitee: user_id ?? null,
    keepRole: keep_role ?? null,
    ttlSeconds: expires_in,
  });
  return Response.json(invitation, { status: 201, headers: uncached });
}

/** Takes an offered role. */
export async function acceptInvitation(services: Services, request: Request): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const { token } = await readJson(request, acceptanceSchema);
  const accepted = await services.catalog.acceptInvitation({ user: actingUser(caller), token });
  return Response.json(accepted, { headers: uncached });
}

/** Ends a membership: the owner removes, a member leaves. */
export async function removeMember(
  services: Services,
  request: Request,
  path: { dataset: string; member: string },
): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const removed = await services.catalog.removeMember({
    user: readingUser(caller),
    dataset: validate(datasetIdSchema, path.dataset),
    member: validate(uuidSchema, path.member),
  });
  return Response.json(removed, { headers: uncached });
}

/** Takes an offer back. */
export async function revokeInvitation(
  services: Services,
  request: Request,
  path: { dataset: string; invitation: string },
): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const revoked = await services.catalog.revokeInvitation({
    user: readingUser(caller),
    dataset: validate(datasetIdSchema, path.dataset),
    invitation: validate(uuidSchema, path.invitation),
  });
  return Response.json(revoked, { headers: uncached });
}

/** Gives a table another name. */
export async function renameTable(
  services: Services,
  request: Request,
  path: { dataset: string; table: string },
): Promise<Response> {
  const caller = await services.auth.userOrService(request);
  const { name } = await readJson(request, renameSchema);
  const renamed = await services.catalog.renameTable({
    user: readingUser(caller),
    dataset: validate(datasetIdSchema, path.dataset),
    table: validate(nameSchema, path.table),
    name,
  });
  return Response.json(renamed, { headers: uncached });
}
