/**
 * Runs `work` over the items with at most `concurrency` at once.
 *
 * @returns the results in the order of the items; the first failure is thrown once all that run have ended
 */
export async function pool<T, R>(
  items: T[],
  concurrency: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index], index);
    }
  };
  const lanes = await Promise.allSettled(
    Array.from({ length: Math.min(concurrency, items.length) }, lane),
  );
  for (const outcome of lanes) if (outcome.status === "rejected") throw outcome.reason;
  return results;
}
