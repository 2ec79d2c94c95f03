/**
 * Begins something for each item, several at a time, and gives the results in the order of the items. After an error,
 * or when no more is wanted, it waits for what has begun: reading ends before the file is closed.
 * @param atOnce - how many may run at a time when this item would be the next
 */
export async function* overlapped<T, R>(
  items: readonly T[],
  atOnce: (item: T) => number,
  begin: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running: Promise<R>[] = [];
  let next = 0;
  try {
    for (let done = 0; done < items.length; done++) {
      while (next < items.length && running.length < Math.max(1, atOnce(items[next] as T))) {
        const begun = begin(items[next++] as T);
        // Its failure is told at its turn; until then it must not be an unhandled rejection.
        begun.catch(() => {});
        running.push(begun);
      }
      yield await (running[0] as Promise<R>);
      running.shift();
    }
  } finally {
    await Promise.allSettled(running);
  }
}
