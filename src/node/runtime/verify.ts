import { CompressError } from '../../errors.ts';
import { checkShape } from '../../options/check.ts';
import { VERIFY } from '../../options/measure.ts';
import type { DataFor } from '../data/fitting.ts';
import type { OutputFigures } from './compare.ts';
import { checkSameInputs, differ, type ModelFacts, readFacts } from './facts.ts';
import { type Kernels, openInspected } from './kernels.ts';
import { CHOICE_SHAPE, Comparisons, chosenOutputs, type OutputChoice } from './outputs/comparisons.ts';
import type { OutputKind } from './outputs/kinds.ts';
import { openSession, runOne, type Session } from './session.ts';

/** The result of {@link verify}. */
export interface VerifyReport extends Kernels {
  /** Paths of the models: the reference, and the judged one. */
  readonly reference: string;
  readonly other: string;
  /** What both were fed, for people. */
  readonly data: string;
  /** Number of runs of each. */
  readonly samples: number;
  /**
   * A row for each output of the reference that is compared: first those with classes, last the states for the next
   * step.
   */
  readonly outputs: readonly OutputFigures[];
}

/** Options of {@link verify}. */
export interface VerifyOptions extends OutputChoice {
  /** Called after each sample that both models have run. */
  readonly onProgress?: (done: number) => void;
}

/**
 * Runs two models on the same data, compares their outputs sample by sample, and reports how ONNX Runtime optimized the
 * second. Memory does not grow with the number of samples.
 *
 * @param reference - path of the model to compare with
 * @param other - path of the judged model; `kernels` and `unfused` of the report are about it
 * @param dataFor - opens the data, given the inputs of both models and a way to run the first
 * @throws CompressError `unsupported` if inputs or outputs differ; `data` if there are no samples; `options` for a
 *   name that no output has, or if the metric is accuracy and the data has no labels for an output; `runtime`, `io`,
 *   `malformed`
 * @example
 * const report = await verify('model.onnx', 'small.onnx', (inputs) => openData('test.npz', inputs));
 * checkGates(report, { minSqnr: 30 });
 */
export async function verify(
  reference: string,
  other: string,
  dataFor: DataFor,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  checkShape('verify', options, { ...CHOICE_SHAPE, onProgress: 'function' });
  const facts = await readFacts(reference);
  checkSameInputs(facts, await readFacts(other));
  const judged = await openInspected(other);
  const right = await openSession(reference).catch(async (cause: unknown) => {
    await judged.session.release();
    throw cause;
  });
  try {
    checkOutputs(right, judged.session);
    const data = await dataFor(facts.inputs, (feeds) => right.run(feeds));
    const comparisons = new Comparisons(chosenOutputs(comparable(facts, right), options), options);
    let samples = 0;
    for await (const sample of data.samples()) {
      const expected = await runOne(right, sample, comparisons.names);
      comparisons.add(sample, expected, await runOne(judged.session, sample, comparisons.names));
      samples++;
      options.onProgress?.(samples);
    }
    if (samples === 0) throw new CompressError('data', data.description, 'there are no samples to compare');
    const outputs = comparisons.figures();
    if (options.metric === 'accuracy') checkLabels(outputs);
    return { reference, other, data: data.description, samples, outputs, ...judged.kernels };
  } finally {
    await right.release();
    await judged.session.release();
  }
}

/**
 * Refuses a model without the outputs of another one.
 * @throws CompressError `unsupported`
 */
export function checkOutputs(reference: Session, other: Session): void {
  const missing = reference.outputNames.find((name) => !other.outputNames.includes(name));
  if (missing !== undefined) throw differ(other, `has no output '${missing}', which ${reference.label} has`);
  if (reference.outputNames.length === 0) {
    throw new CompressError('unsupported', reference.label, 'has no numeric output to compare');
  }
}

/** Outputs that can be fetched. */
export function comparable({ outputs }: ModelFacts, { outputNames }: Session): readonly OutputKind[] {
  return outputs.filter((one) => outputNames.includes(one.name));
}

/** @throws CompressError `options` if no output could be compared with labels */
export function checkLabels(outputs: readonly OutputFigures[]): void {
  if (outputs.some((one) => one.accuracy !== undefined)) return;
  throw new CompressError('options', 'metric', 'accuracy: the data has no labels for the output with classes', {
    hint: 'Labels are an array __labels__ next to the inputs.',
  });
}

/** Required results of a comparison; absent ones are not checked. */
export interface Gates {
  /** SQNR in dB of every float output, apart from states for the next step. */
  readonly minSqnr?: number;
  /** A share from 0 to 1, for every output with classes. */
  readonly minTop1?: number;
  /** Every integer weight must be read by an integer kernel. */
  readonly requireFused?: boolean;
}

/**
 * Throws unless a comparison passes the gates. A gate fails if there is nothing to measure it on.
 * @throws CompressError `gate` that names each output, its figure and the required value
 */
export function checkGates(report: VerifyReport, gates: Gates): void {
  const { minSqnr, minTop1, requireFused } = VERIFY.rows;
  checkShape('checkGates', gates, { minSqnr, minTop1, requireFused });
  const facts = gateFacts(report.outputs, gates);
  const [first] = gates.requireFused === true ? report.unfused : [];
  if (first !== undefined) {
    const more = report.unfused.length === 1 ? '' : `, and ${report.unfused.length - 1} more`;
    const reader = first.node === '' ? '' : ` for ${first.opType} '${first.node}'`;
    facts.push(`weight '${first.weight}' is dequantized at every run${reader} (${first.why})${more}`);
  }
  if (facts.length === 0) return;
  const classless = gates.minTop1 !== undefined && rankedOutputs(report.outputs).length === 0;
  const hint = classless ? 'If one has: `outputs: NAME` `metric: top1`.' : undefined;
  throw new CompressError('gate', report.other, facts.join('; '), { hint });
}

/** Why outputs fail the gates, one sentence each. */
export function gateFacts(outputs: readonly OutputFigures[], { minSqnr, minTop1 }: Gates): string[] {
  return [...sqnrFacts(outputs, minSqnr), ...top1Facts(outputs, minTop1)];
}

function sqnrFacts(outputs: readonly OutputFigures[], least: number | undefined): string[] {
  if (least === undefined) return [];
  const floats = outputs.filter((one) => one.dtype.includes('float') && one.cache === undefined);
  if (floats.length === 0) return ['no output is float, so there is no SQNR'];
  if (floats.every((one) => one.elements === 0)) return ['all outputs are empty, so there is no SQNR'];
  const low = floats.filter((one) => !(one.sqnr >= least));
  return low.map(
    (one) => `output '${one.name}' has an SQNR of ${formatDb(one.sqnr)}; at least ${least} dB are required`,
  );
}

/** The outputs with classes, and how many rows have the same top-1. */
function rankedOutputs(
  outputs: readonly OutputFigures[],
): ({ readonly name: string } & NonNullable<OutputFigures['top1']>)[] {
  return outputs.flatMap(({ name, top1 }) => (top1 === undefined ? [] : [{ name, ...top1 }]));
}

function top1Facts(outputs: readonly OutputFigures[], least: number | undefined): string[] {
  if (least === undefined) return [];
  const ranked = rankedOutputs(outputs);
  if (ranked.length === 0) return ['no output has classes, so there is no top-1 agreement'];
  const low = ranked.filter((one) => one.count / one.of < least);
  return low.map(({ name, count, of }) => {
    return (
      `output '${name}' has the same top-1 in ${count} of ${of} rows (${floor4(count / of)}); at least ` +
      `${least} is required`
    );
  });
}

/** Rounded down, so that a share below a gate is never shown as the gate. */
function floor4(share: number): number {
  return Math.floor(share * 10_000) / 10_000;
}

/**
 * Decibels for people, rounded down, so that a figure below a gate is never shown as the gate: `34.20 dB`, or `∞` if
 * nothing differs.
 */
export function formatDb(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  return `${(Math.floor(value * 100) / 100).toFixed(2)} dB`;
}
