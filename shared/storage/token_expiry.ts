/** The `exp` of a JWT; not verified: who asks has the token of whoever made it, or has verified it. */
export function tokenExpiry(token: string): Date {
  const payload = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
  return new Date(JSON.parse(atob(payload)).exp * 1000);
}
