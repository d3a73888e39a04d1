/** Lists of ETags in a request. */

/** Whether a list of ETags has one, or is `*`; where the comparison is weak W/ does not matter (RFC 9110 section 8.8.3.2). */
export function listsTag(header: string, etag: string, comparison: "strong" | "weak"): boolean {
  if (header.trim() === "*") return true;
  const tags = header.split(",").map((tag) => tag.trim());
  return tags.includes(etag) || comparison === "weak" && tags.includes(`W/${etag}`);
}
