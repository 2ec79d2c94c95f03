import { CompressError } from '../../../errors.ts';
import type { Shape } from '../../../options/check.ts';
import { VERIFY } from '../../../options/measure.ts';
import type { MetricName } from '../../../options/metrics.ts';
import type { FeedTensor, Sample } from '../../data/types.ts';
import { OutputComparison, type OutputFigures } from '../compare.ts';
import type { OutputKind } from './kinds.ts';

/** Which outputs to compare and how, if the graph should not decide. */
export interface OutputChoice {
  /** Names of the outputs to compare; all if omitted. */
  readonly outputs?: readonly string[];
  /**
   * `top1` and `accuracy`: the outputs have classes, along the last axis if the graph does not tell. `sqnr`: none has.
   */
  readonly metric?: MetricName;
  /** The option for the choice of outputs that errors name: `outputs` if omitted. */
  readonly option?: string;
}

/** The expected type of each of these options. */
export const CHOICE_SHAPE: Shape<OutputChoice> = {
  outputs: VERIFY.rows.output,
  metric: VERIFY.rows.metric,
  option: 'text',
};

/**
 * The outputs to compare, the most meaningful first: those with classes, others, then states for the next step.
 * @param kinds - of {@link outputKinds}
 * @param option - how errors call the choice of an output
 * @throws CompressError `options` for a name that no output has
 */
export function chosenOutputs(
  kinds: readonly OutputKind[],
  { outputs, metric, option = 'outputs' }: OutputChoice,
): readonly OutputKind[] {
  const missing = outputs?.find((name) => !kinds.some((one) => one.name === name));
  if (missing !== undefined) {
    const names = kinds.map((one) => `'${one.name}'`).join(', ');
    throw new CompressError('options', option, `the model has no output '${missing}'`, { hint: `It has ${names}.` });
  }
  // A state that the user names counts as a result.
  const wanted = outputs === undefined ? kinds : kinds.filter((one) => outputs.includes(one.name)).map(asResult);
  const asked = metric === 'top1' || metric === 'accuracy';
  const ranked = wanted.some((one) => one.classes !== undefined);
  return wanted
    .map((one): OutputKind => {
      const { name, cache, classes } = one;
      if (metric === 'sqnr') return cache === undefined ? { name } : { name, cache };
      return asked && !ranked && cache === undefined && classes === undefined ? { name, classes: { axis: -1 } } : one;
    })
    .sort((a, b) => rank(a) - rank(b));
}

function asResult({ cache: _, ...kind }: OutputKind): OutputKind {
  return kind;
}

function rank({ classes, cache }: OutputKind): number {
  return cache === true ? 2 : classes === undefined ? 1 : 0;
}

/** Compares outputs of two models sample by sample; only sums are kept. */
export class Comparisons {
  readonly #comparisons: readonly OutputComparison[];

  /** @param kinds - of {@link chosenOutputs}, in the order of the figures */
  constructor(kinds: readonly OutputKind[], { metric }: OutputChoice = {}) {
    this.#comparisons = kinds.map((one) => new OutputComparison(one, metric !== 'sqnr'));
  }

  /** Names of the outputs to fetch. */
  get names(): readonly string[] {
    return this.#comparisons.map((one) => one.name);
  }

  /**
   * Adds the outputs of both models for a sample.
   * @throws CompressError `unsupported` if shapes differ, or only one of the two is float
   */
  add(
    sample: Sample,
    expected: Readonly<Record<string, FeedTensor>>,
    found: Readonly<Record<string, FeedTensor>>,
  ): void {
    for (const one of this.#comparisons) {
      const [a, b] = [expected[one.name], found[one.name]];
      if (a === undefined || b === undefined) {
        throw new CompressError('internal', sample.label, `ONNX Runtime returned no output '${one.name}'`);
      }
      one.add(a, b, sample.labels);
    }
  }

  /** A row for each output. Labels alone define classes only if no output is known to have as many. */
  figures(): readonly OutputFigures[] {
    const all = this.#comparisons.map((one) => ({ known: one.hasClasses, figures: one.figures() }));
    const labelled = all.some(({ known, figures }) => known && figures.accuracy !== undefined);
    return all.map(({ known, figures }) => (known || !labelled ? figures : withoutClasses(figures)));
  }
}

function withoutClasses({ top1: _, accuracy: __, ...rest }: OutputFigures): OutputFigures {
  return rest;
}
