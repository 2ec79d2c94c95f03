import type { AnswerTo, Request } from '../../activations/requests.ts';

/** A value of one sample, as a tally sees it. */
export interface Seen {
  readonly value: string;
  /** Its elements as float32, one or more. */
  readonly data: Float32Array;
  readonly dims: readonly number[];
  /** Index of its sample. */
  readonly sample: number;
  /** Number of earlier passes over the data. */
  readonly pass: number;
}

/** Accumulates values, sample by sample, to answer one request. It never keeps the values themselves. */
export interface Tally<A> {
  /** The values it observes. */
  readonly values: readonly string[];
  /** Number of passes over the data it needs. */
  readonly passes: 1 | 2;
  /** @returns a promise to await before the next call, if necessary */
  add(seen: Seen): Promise<void> | void;
  /** Called once, after the last sample. */
  answer(): A | Promise<A>;
}

export type TallyFor<R extends Request> = Tally<AnswerTo<R>>;
