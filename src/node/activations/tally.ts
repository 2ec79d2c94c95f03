import type { AnswerTo, Request } from '../../activations/requests.ts';

/** A value of one sample, as a tally sees it. */
export interface Seen {
  readonly value: string;
  /** Its elements as float32, one or more. */
  readonly data: Float32Array;
  readonly dims: readonly number[];
  /** Which sample it is of. */
  readonly sample: number;
  /** How often the data was read before. */
  readonly pass: number;
}

/** What is kept of values, sample by sample, to answer one request. It never keeps the values themselves. */
export interface Tally<A> {
  /** The values that it counts. */
  readonly values: readonly string[];
  /** How often it must see each of them on all of the data. */
  readonly passes: 1 | 2;
  /** @returns what to wait for before the next call, if anything */
  add(seen: Seen): Promise<void> | void;
  /** Called once, after the last sample. */
  answer(): A | Promise<A>;
}

export type TallyFor<R extends Request> = Tally<AnswerTo<R>>;
