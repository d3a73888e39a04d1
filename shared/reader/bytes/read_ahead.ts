/** How much may be started before it is used. */
export interface AheadLimits {
  count: number;
  bytes: number;
}

/**
 * Starts work for items ahead of its use, in order: as much as the limits allow, always at least one. What has been
 * yielded counts until the next is asked for.
 *
 * @param cost bytes that the work's result will hold
 * @param stop called when the consumer has enough or has failed, so that what is under way can be given up
 */
export async function* readAhead<T, R>(
  items: AsyncIterable<T>,
  limits: AheadLimits,
  cost: (item: T) => number,
  start: (item: T) => Promise<R>,
  stop: () => void,
): AsyncGenerator<R> {
  const queue: { result: Promise<R>; bytes: number }[] = [];
  let bytes = 0, ended = false, stopped = false;
  let failure: { error: unknown } | undefined;
  let wake = () => {};
  let change = new Promise<void>((resolve) => wake = resolve);
  const changed = () => {
    wake();
    change = new Promise<void>((resolve) => wake = resolve);
  };

  const fill = async () => {
    for await (const item of items) {
      const more = cost(item);
      while (
        !stopped && queue.length > 0 &&
        (queue.length >= limits.count || bytes + more > limits.bytes)
      ) await change;
      if (stopped) return;
      const result = start(item);
      result.catch(() => {}); // awaited when its turn comes, or dropped when the consumer stops
      queue.push({ result, bytes: more });
      bytes += more;
      changed();
    }
  };
  const filling = fill().catch((error) => failure = { error }).finally(() => {
    ended = true;
    changed();
  });

  try {
    while (true) {
      while (queue.length === 0 && !ended) await change;
      if (queue.length === 0) break;
      yield await queue[0].result;
      bytes -= queue.shift()!.bytes;
      changed();
    }
    if (failure !== undefined) throw failure.error;
  } finally {
    stopped = true;
    if (!ended || queue.length > 0) stop();
    changed();
    await filling;
  }
}
