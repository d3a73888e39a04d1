/** Rows by their cause, the most frequent first. */
export function byCause<T>(rows: T[], causeOf: (row: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const cause = causeOf(row);
    groups.set(cause, [...(groups.get(cause) ?? []), row]);
  }
  return [...groups].sort(([, a], [, b]) => b.length - a.length);
}
