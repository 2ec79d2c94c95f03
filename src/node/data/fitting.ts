import { CompressError } from '../../errors.ts';
import type { ModelInput } from './inputs.ts';
import { type Lengths, OpenDims } from './lengths.ts';
import { checkRandom, hint, type RandomOptions, randomData } from './random.ts';
import type { DataSet, Sample } from './types.ts';

/** Runs a model on a sample to see whether it accepts it. */
export type TrialRun = (feeds: Sample['feeds']) => Promise<unknown>;

/** Opens data for a model, given its inputs and a way to run it. */
export type DataFor = (inputs: readonly ModelInput[], trial: TrialRun) => DataSet | Promise<DataSet>;

/** Lengths tried for all open dims at once, after the default: those of text, images and sound. */
const ALIKE = [64, 224, 320, 16, 128, 512, 1024, 8];
/** Lengths tried for one group of dims while the others keep the default: halves, doubles, one more, one less. */
const ONE_BY_ONE = [16, 64, 33, 31, 8, 128, 512, 4, 224];
/** Maximum number of trials. */
const MOST_TRIALS = 60;
/** Number of samples checked with the first lengths that run: flags may make the model take another path in each. */
const LOOKED_AT = 4;

/**
 * Random inputs that the model accepts. The model states only some of the lengths of its open dimensions, so lengths
 * are tried: first the same for all, then different ones.
 * @param trial - runs the model once
 * @throws CompressError `data` if no lengths work, with the first error of ONNX Runtime; `options`
 */
export async function fittingRandomData(
  inputs: readonly ModelInput[],
  options: RandomOptions,
  trial: TrialRun,
): Promise<DataSet> {
  checkRandom('fittingRandomData', options);
  let first: CompressError | undefined;
  for (const choice of candidates(new OpenDims(inputs), options.batch ?? 1)) {
    try {
      const data = randomData(inputs, { ...options, ...choice });
      await runsWith(data, inputs, trial);
      return data;
    } catch (cause) {
      if (!(cause instanceof CompressError) || !(cause.code === 'runtime' || cause.code === 'limit')) throw cause;
      first ??= cause;
    }
  }
  if (first === undefined || first.code === 'limit')
    throw first ?? new CompressError('internal', '', 'no shapes were tried');
  const fact = `does not run on random inputs: ${first.message.slice(first.where.length + 2)}`;
  throw new CompressError('data', first.where, fact, { ...hint(options.option ?? 'data'), cause: first });
}

async function runsWith(data: DataSet, inputs: readonly ModelInput[], trial: TrialRun): Promise<void> {
  const flags = inputs.some(({ dtype, fill }) => dtype?.startsWith('float') === false && fill === undefined);
  let left = flags ? LOOKED_AT : 1;
  for await (const { feeds } of data.samples()) {
    await trial(feeds);
    if (--left === 0) return;
  }
}

/** Parameters to try, in order of likelihood. */
type Choice = Required<Pick<RandomOptions, 'batch' | 'lengths'>>;

function* candidates(open: OpenDims, batch: number): Generator<Choice> {
  yield { batch, lengths: new Map() };
  let left = MOST_TRIALS;
  for (const lengths of lengthsToTry(open, batch)) {
    if (left-- === 0) break;
    yield { batch, lengths };
  }
  // A fixed first dim may count layers instead of rows.
  if (batch > 1) yield { batch: 1, lengths: new Map() };
}

function* lengthsToTry(open: OpenDims, batch: number): Generator<Lengths> {
  const { groups } = open;
  if (groups.length === 0) return;
  for (const length of ALIKE) yield open.alike(length);
  if (groups.length > 1) yield* oneByOne(groups, ONE_BY_ONE);
  // Length 1 runs in most models, but only because it broadcasts to other lengths that should be equal.
  yield* oneByOne(groups, batch === 1 ? [1] : [batch, 1]);
  yield open.alike(1);
  for (const one of groups) {
    for (const length of ONE_BY_ONE) {
      for (const rest of oneByOne(
        groups.filter((other) => other !== one),
        ONE_BY_ONE,
      )) {
        yield new Map([[one, length], ...rest]);
      }
    }
  }
}

/** Gives one group at a time another length. */
function* oneByOne(groups: readonly string[], lengths: readonly number[]): Generator<Map<string, number>> {
  for (const length of lengths) for (const group of groups) yield new Map([[group, length]]);
}
