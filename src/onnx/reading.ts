/**
 * Reading that waits only where bytes are missing: a generator that yields the promise it needs. Nearly every field
 * lies in the window already, and a promise a field would take longer than all the rest.
 */
export type Reading<T> = Generator<Promise<unknown>, T, unknown>;

/**
 * What is left of some reading; undefined if all of it is done. Names, attributes and types are the bulk of a model and
 * go this way, as even an idle generator a field is felt (20,000 nodes are more than a million fields).
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

/** Does `done` once nothing is pending, which is now in most cases. */
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
