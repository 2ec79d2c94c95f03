/**
 * Starts work for each item, several at a time, and yields the results in order. After an error, or when the consumer
 * stops, it waits for running work, so that reading ends before the file is closed.
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
        // Mark as handled; the error is thrown when the result is awaited.
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
