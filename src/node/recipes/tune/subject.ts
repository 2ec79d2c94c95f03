import type { Judgement } from '../../runtime/judge.ts';
import type { Made } from './candidate.ts';

/** A selection that was made and run. */
export interface Candidate extends Made {
  readonly judgement: Judgement;
}

/** What is tuned: a model, or models that generate text together. */
export interface Subject {
  /** Paths of the float models, each once. */
  readonly files: readonly string[];
  /** Loads the float models, and opens what all are judged on. */
  open(): Promise<Trials>;
}

/** Makes candidates of a subject, and judges them beside the float models. */
export interface Trials {
  /** What they are judged on. */
  readonly data: string;
  /** The float models beside themselves. */
  reference(): Promise<Pick<Candidate, 'judgement' | 'bytes'>>;
  /** @param float - layers that are not quantized */
  try(float: readonly string[]): Promise<Candidate>;
  close(): Promise<void>;
}
