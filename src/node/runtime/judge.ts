import { CompressError } from '../../errors.ts';
import { checkShape } from '../../options/check.ts';
import type { DataFor } from '../data/fitting.ts';
import type { DataSet, FeedTensor, Sample } from '../data/types.ts';
import type { OutputFigures } from './compare.ts';
import { checkSameInputs, type ModelFacts, readFacts } from './facts.ts';
import { CHOICE_SHAPE, Comparisons, chosenOutputs, type OutputChoice } from './outputs/comparisons.ts';
import { openSession, runOne, type Session } from './session.ts';
import { checkOutputs, comparable } from './verify.ts';

/** One model compared with the reference. */
export interface Judgement {
  /** A row for each output of the reference that is compared, as in {@link verify}. */
  readonly outputs: readonly OutputFigures[];
  /** Number of runs of the model. */
  readonly samples: number;
  /** Mean time of a run in milliseconds; the first run is ignored if there are several. */
  readonly ms: number;
}

/** Options of {@link openJudge}. */
export interface JudgeOptions extends OutputChoice {
  /** Bytes of the reference's outputs to keep; if they are larger, the reference runs again for each model. */
  readonly cacheBytes?: number;
}

/** What {@link openJudge} does by default. */
export const JUDGE_DEFAULTS: Required<Pick<JudgeOptions, 'cacheBytes'>> = { cacheBytes: 128 * 2 ** 20 };

/** Compares several models, one after the other, with the same reference on the same data. */
export interface Judge {
  /** What the models are fed, for people. */
  readonly data: string;
  /**
   * Runs a model on all samples and compares it with the reference.
   * @param path - path of its file
   * @throws CompressError `unsupported` if its inputs or outputs differ, `data`, `runtime`
   */
  judge(path: string): Promise<Judgement>;
  close(): Promise<void>;
}

/**
 * Opens a reference for many comparisons like {@link verify}: the data is opened once, and outputs of the reference are
 * kept while they are small. Memory does not grow with the number of samples.
 *
 * @param reference - path of the model to compare with
 * @param dataFor - opens the data, given the inputs of the models and a way to run the reference
 * @throws CompressError `unsupported`, `options` for a name that no output has, `data`, `runtime`, `io`, `malformed`
 */
export async function openJudge(reference: string, dataFor: DataFor, options: JudgeOptions = {}): Promise<Judge> {
  checkShape('openJudge', options, { ...CHOICE_SHAPE, cacheBytes: 'number' });
  const facts = await readFacts(reference);
  const right = await openSession(reference);
  try {
    const kinds = chosenOutputs(comparable(facts, right), options);
    const data = await dataFor(facts.inputs, (feeds) => right.run(feeds));
    const names = kinds.map((one) => one.name);
    const expected = new Expected(right, names, options.cacheBytes ?? JUDGE_DEFAULTS.cacheBytes);
    const comparisons = (): Comparisons => new Comparisons(kinds, options);
    return {
      data: data.description,
      judge: (path) => judge(path, { facts, right, data, expected, comparisons }),
      close: () => right.release(),
    };
  } catch (cause) {
    await right.release();
    throw cause;
  }
}

/** The model that others are compared with. */
interface Reference {
  readonly facts: ModelFacts;
  readonly right: Session;
  readonly data: DataSet;
  readonly expected: Expected;
  readonly comparisons: () => Comparisons;
}

async function judge(path: string, { facts, right, data, expected, ...of }: Reference): Promise<Judgement> {
  const session = await openSession(path);
  try {
    checkSameInputs(facts, await readFacts(path));
    checkOutputs(right, session);
    const comparisons = of.comparisons();
    const times = { first: 0, later: 0 };
    let samples = 0;
    for await (const sample of data.samples()) {
      const reference = await expected.of(sample, samples);
      const start = performance.now();
      const found = await runOne(session, sample, right.outputNames);
      times[samples === 0 ? 'first' : 'later'] += performance.now() - start;
      comparisons.add(sample, reference, found);
      samples++;
    }
    if (samples === 0) throw new CompressError('data', data.description, 'there are no samples to compare');
    const ms = samples === 1 ? times.first : times.later / (samples - 1);
    return { outputs: comparisons.figures(), samples, ms };
  } finally {
    await session.release();
  }
}

type Outputs = Readonly<Record<string, FeedTensor>>;

/** The reference's outputs for each sample. */
class Expected {
  readonly #session: Session;
  readonly #names: readonly string[];
  readonly #kept: Outputs[] = [];
  #room: number;

  constructor(session: Session, names: readonly string[], room: number) {
    this.#session = session;
    this.#names = names;
    this.#room = room;
  }

  /** @param index - of the sample; samples come in the same order each time */
  async of(sample: Sample, index: number): Promise<Outputs> {
    const kept = this.#kept[index];
    if (kept !== undefined) return kept;
    const outputs = await runOne(this.#session, sample, this.#names);
    const bytes = Object.values(outputs).reduce((sum, one) => sum + one.data.byteLength, 0);
    // Only a gapless prefix is kept.
    if (this.#kept.length === index && bytes <= this.#room) {
      this.#room -= bytes;
      this.#kept.push(outputs);
    } else {
      this.#room = 0;
    }
    return outputs;
  }
}
