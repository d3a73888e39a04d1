/** One attempt at one item: which protocol, resumed or from the start, and its verdict. */
import type { Attempt } from "./attempt.ts";
import type { PendingItem } from "../pending/pending_record.ts";
import type { StoredBytes } from "../pending/pending_medium.ts";
import { sendDirect } from "./send_direct.ts";
import { sendInOneRequest } from "./send_one_request.ts";
import { sendInTwoRequests } from "./send_two_requests.ts";
import type { Verdict } from "./verdict.ts";

/**
 * Sends an item. A stage that is gone (410, or a token that this server did not sign) starts again at
 * the first request once; a second time it is a failed attempt like any other.
 */
export async function sendItem(
  item: PendingItem,
  bytes: StoredBytes,
  attempt: Attempt,
): Promise<Verdict> {
  const protocol = protocolFor(item, attempt);
  const send = protocol === "one_request"
    ? sendInOneRequest
    : protocol === "direct"
    ? sendDirect
    : sendInTwoRequests;
  let verdict = await send(item, bytes, attempt);
  if (verdict.kind === "restart") {
    verdict = await send({ ...item, upload: null }, bytes, attempt);
  }
  return verdict.kind === "restart"
    ? { kind: "retry", reason: verdict.reason, upload: null }
    : verdict;
}

/** The protocol of an item: direct for what is larger than the functions' body limit. */
export function protocolFor(
  item: Pick<PendingItem, "context" | "size">,
  attempt: Pick<Attempt, "settings">,
): "one_request" | "two_requests" | "direct" {
  const { protocol, direct_above_bytes } = attempt.settings;
  const isLarge = item.size > direct_above_bytes;
  if (item.context.kind === "asset") {
    // An asset in one request there is not.
    return protocol === "direct" || protocol === "auto" && isLarge ? "direct" : "two_requests";
  }
  const { format, table_offsets } = item.context;
  const hasAvro = format === "avro" || table_offsets?.some((slice) => slice.format === "avro");
  if (protocol !== "auto") return protocol;
  // The service converts Avro on its way through; what goes to the store by itself it refuses.
  return isLarge && !hasAvro ? "direct" : "two_requests";
}
