import type { Judgement } from '../../runtime/judge.ts';
import type { Made } from './candidate.ts';

/** A selection whose model was made and run. */
export interface Candidate extends Made {
  readonly judgement: Judgement;
}

/** What is tuned: one model, or models that generate text together. */
export interface Subject {
  /** Distinct paths of the float models. */
  readonly files: readonly string[];
  /** Loads the float models, and opens the data for the comparison. */
  open(): Promise<Trials>;
}

/** Makes candidates of a subject, and compares them with the float models. */
export interface Trials {
  /** Describes the data. */
  readonly data: string;
  /** The float models compared with themselves. */
  reference(): Promise<Pick<Candidate, 'judgement' | 'bytes'>>;
  /** @param float - layers that are not quantized */
  try(float: readonly string[]): Promise<Candidate>;
  close(): Promise<void>;
}
