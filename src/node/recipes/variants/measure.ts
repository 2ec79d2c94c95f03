import { knownError } from '../../../errors.ts';
import { VARIANTS_DEFAULT } from '../../../options/variants.ts';
import { fittingRandomData } from '../../data/fitting.ts';
import type { DataSet } from '../../data/types.ts';
import type { OutputFigures } from '../../runtime/compare.ts';
import { type Judge, openJudge } from '../../runtime/judge.ts';
import { loadRuntime } from '../../runtime/load.ts';
import type { Family } from '../generation/family.ts';
import { recordedData } from '../generation/record.ts';
import { failureOf } from './files.ts';
import type { VariantFailure, VariantFile } from './report.ts';

/** Number of random rows. */
const SAMPLES = 8;

/** The files of one model with their figures. */
export interface Measured {
  readonly files: readonly VariantFile[];
  /** What they were run on. */
  readonly data?: string;
  /** Why there are no figures. */
  readonly notes: readonly string[];
}

/**
 * Compares each file with its model. A file that cannot be run does not stop the others. A decoder gets the inputs it
 * has when it generates text.
 * @param check - true: a file that cannot be run is a failure; undefined: a note says why
 * @param written - returns the inputs of decoders of the folder
 * @param failures - receives what cannot be run
 */
export async function measureFiles(
  source: string,
  files: readonly VariantFile[],
  check: boolean | undefined,
  failures: VariantFailure[],
  written: (path: string) => Promise<DataSet | undefined> = async () => undefined,
): Promise<Measured> {
  const runs = (one: VariantFile): boolean => one.status === 'written' || one.status === 'kept';
  const large = check === undefined && (files[0]?.floatBytes ?? 0) > VARIANTS_DEFAULT.checkBytes;
  if (check === false || !files.some(runs)) return { files, notes: [] };
  if (large) return { files, notes: [`${source} is large and was not checked: \`check\` runs it`] };
  const notes: string[] = [];
  const attempt = async <T>(path: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (cause) {
      const failure = failureOf(path, cause);
      if (check === true) failures.push(failure);
      else notes.push(`not checked: ${failure.message}`);
      return undefined;
    }
  };
  const judge = await attempt(source, async () => {
    await loadRuntime();
    const random = { seed: 0, samples: SAMPLES };
    const own = await written(source);
    return openJudge(source, (inputs, trial) => own ?? fittingRandomData(inputs, random, trial));
  });
  if (judge === undefined) return { files, notes };
  try {
    const measured: VariantFile[] = [];
    for (const file of files) {
      const figure = runs(file) ? await attempt(file.path, () => figureOf(judge, file.path)) : undefined;
      measured.push({ ...file, ...figure });
    }
    return { files: measured, data: judge.data, notes };
  } finally {
    await judge.close();
  }
}

/** The figures of the worst output. States for the next step count only if there is nothing else. */
async function figureOf(judge: Judge, path: string): Promise<Pick<VariantFile, 'sqnr' | 'output'>> {
  const { outputs } = await judge.judge(path);
  const floats = outputs.filter((one) => one.dtype.includes('float') && one.elements > 0 && one.zero !== true);
  const results = floats.filter((one) => one.cache !== true);
  const worst = (results.length === 0 ? floats : results).reduce<OutputFigures | undefined>(
    (least, one) => (least === undefined || !(one.sqnr >= least.sqnr) ? one : least),
    undefined,
  );
  return worst === undefined ? {} : { sqnr: worst.sqnr, output: worst.name };
}

/**
 * The inputs of the decoders of a folder when they generate text. The family is run once, on first use. If it cannot be
 * found or run, its decoders get random inputs.
 * @param find - finds the family
 */
export function writtenBy(find: () => Promise<Family | undefined>): (path: string) => Promise<DataSet | undefined> {
  let found: Promise<Family | undefined> | undefined;
  let recorded: Promise<ReadonlyMap<string, DataSet> | undefined> | undefined;
  return async (path) => {
    found ??= find().catch(nothingKnown);
    const family = await found;
    if (family?.decoders.some(({ first, next }) => first === path || next === path) !== true) return undefined;
    recorded ??= recordedData(family).catch(nothingKnown);
    return (await recorded)?.get(path);
  };
}

/** Errors of the models are reported for each file; internal errors are rethrown. */
function nothingKnown(cause: unknown): undefined {
  if (knownError(cause) === undefined) throw cause;
}
