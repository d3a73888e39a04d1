/** The routes by which datasets are shared, described. */
import {
  acceptedInvitation,
  invitation,
  memberList,
  removedMember,
  renamedTable,
  revokedInvitation,
} from "../../shared/catalog/member_results.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import type { RouteDescription } from "../../shared/http/openapi.ts";
import { acceptanceSchema, invitationSchema, renameSchema } from "../../shared/protocol/members.ts";

const sharing: ErrorCode[] = [
  "invalid_request",
  "not_found",
  "dataset_forbidden",
  "dataset_deleted",
  "user_deleted",
];

export const memberRoutes: RouteDescription[] = [
  {
    method: "get",
    path: "/battle-data/datasets/{dataset}/members",
    operationId: "listMembers",
    summary: "Who shares a dataset",
    description: "The owner sees all members and open invitations, a member the own role.",
    access: "user",
    answers: { 200: { description: "Members and invitations.", schema: memberList } },
    problems: sharing,
  },
  {
    method: "delete",
    path: "/battle-data/datasets/{dataset}/members/{member}",
    operationId: "removeMember",
    summary: "Remove a member, or leave",
    description: "What a member has uploaded stays: it is the dataset's.",
    access: "user",
    answers: { 200: { description: "The user is no member.", schema: removedMember } },
    problems: sharing,
  },
  {
    method: "post",
    path: "/battle-data/datasets/{dataset}/invitations",
    operationId: "inviteMember",
    summary: "Offer a role, or hand the dataset over",
    description:
      "By the owner. Whoever accepts the `token` has the role: send it as you would a password, or bind it by `user_id`. " +
      "Role `owner` hands the dataset over, with what it counts for in limits.",
    access: "user",
    body: { "application/json": invitationSchema },
    answers: { 201: { description: "The token, told this once.", schema: invitation } },
    problems: [...sharing, "quota_exceeded"],
  },
  {
    method: "delete",
    path: "/battle-data/datasets/{dataset}/invitations/{invitation}",
    operationId: "revokeInvitation",
    summary: "Take an invitation back",
    access: "user",
    answers: { 200: { description: "It can't be accepted.", schema: revokedInvitation } },
    problems: sharing,
  },
  {
    method: "post",
    path: "/battle-data/datasets/{dataset}/tables/{table}/rename",
    operationId: "renameTable",
    summary: "Give a table another name",
    description:
      "By the owner. Names that the table had stay its own: uploads and queries under them go on. A name that another " +
      "table of the dataset has or had is refused.",
    access: "user",
    body: { "application/json": renameSchema },
    answers: { 200: { description: "The name, from now on.", schema: renamedTable } },
    problems: [...sharing, "invalid_name"],
  },
  {
    method: "post",
    path: "/battle-data/invitations/accept",
    operationId: "acceptInvitation",
    summary: "Accept an invitation",
    access: "user",
    body: { "application/json": acceptanceSchema },
    answers: { 200: { description: "The role, from now on.", schema: acceptedInvitation } },
    problems: [
      "invalid_request",
      "not_found",
      "invitation_gone",
      "key_read_only",
      "dataset_deleted",
      "user_deleted",
      "quota_exceeded",
    ],
  },
];
