/**
 * A generator that yields a promise only if bytes are missing. Nearly every field is already in the window, and one
 * promise per field would take longer than everything else.
 */
export type Reading<T> = Generator<Promise<unknown>, T, unknown>;

/**
 * The rest of a reading; undefined if it is done. Names, attributes and types are most of a model and are read this
 * way: even an idle generator per field is noticeable (20,000 nodes have more than a million fields).
 */
export type Pending = Reading<void> | undefined;

/** Runs a reading to its end. */
export async function drive<T>(reading: Reading<T>): Promise<T> {
  let step = reading.next();
  while (step.done !== true) step = reading.next(await step.value);
  return step.value;
}

/** Waits for a promise within a reading. */
export function* wait<T>(promise: Promise<T>): Reading<T> {
  return (yield promise) as T;
}

/** Calls `done` once nothing is pending; in most cases that is immediately. */
export function after(pending: Pending, done: () => void): Pending {
  if (pending !== undefined) return finish(pending, done);
  done();
  return undefined;
}

function* finish(reading: Reading<void>, done: () => void): Reading<void> {
  yield* reading;
  done();
}

/** Hands the result of a reading to `take`. */
export function* into<T>(reading: Reading<T>, take: (value: T) => void): Reading<void> {
  take(yield* reading);
}
