import { CompressError } from '../../errors.ts';
import type { ValueInfo } from '../../ir/graph.ts';
import { checkShape, type Shape } from '../../options/check.ts';
import { BENCH, BENCH_DEFAULTS } from '../../options/measure.ts';
import { fixedRows, isOpen, rowAxis, rowNames } from '../data/axes.ts';
import type { TrialRun } from '../data/fitting.ts';
import type { ModelInput } from '../data/inputs.ts';
import type { DataSet, Sample } from '../data/types.ts';
import { checkSameInputs, type ModelFacts, readFacts } from './facts.ts';
import { openSession, type Session } from './session.ts';

/** Median, with the 10th and 90th percentile of the measurements. */
export interface Spread {
  readonly median: number;
  readonly p10: number;
  readonly p90: number;
}

/** Times of one model at one batch size. */
export interface Timing {
  readonly model: string;
  /** Milliseconds per run. */
  readonly ms: Spread;
  /** Relative to the first model in the same round; 1 for the first model itself. */
  readonly ratio: Spread;
}

/** All models at one batch size. */
export interface BatchReport {
  /** Rows per run; undefined if no input has a first dimension. */
  readonly batch: number | undefined;
  /** Number of measured rounds; every model runs once per round. */
  readonly runs: number;
  readonly models: readonly Timing[];
}

/** Facts about one model, apart from the times of its runs. */
export interface ModelReport {
  readonly model: string;
  /** Size of the file with its external data. */
  readonly bytes: number;
  /** Milliseconds to load it into ONNX Runtime, including its optimizations. */
  readonly loadMs: number;
  /** Peak memory in bytes of a process that only loads and runs the model. */
  readonly peakBytes: number | undefined;
}

/** The result of {@link bench}. */
export interface BenchReport {
  readonly data: string;
  /** Threads within one operator; undefined if ONNX Runtime chooses. */
  readonly threads: number | undefined;
  readonly models: readonly ModelReport[];
  readonly batches: readonly BatchReport[];
}

/** Options of {@link bench}. */
export interface BenchOptions {
  /** Rows per run; each number is measured separately. If omitted: the batch size that the model fixes, or 1. */
  readonly batches?: readonly number[];
  readonly threads?: number;
  /** Rounds to measure for each batch size. */
  readonly runs?: number;
  /** Rounds before the measured ones. */
  readonly warmup?: number;
  /** Seconds after which a batch size ends, but not before three rounds. */
  readonly seconds?: number;
  /** A clock, in milliseconds. */
  readonly now?: () => number;
  /**
   * Measures the peak memory in bytes of a process that loads and runs the model; if omitted, no memory is measured.
   */
  readonly peak?: (model: string, feeds: Sample['feeds'], threads: number | undefined) => Promise<number>;
  /** Called after each round; `total` is an upper bound. */
  readonly onProgress?: (done: number, total: number) => void;
}

const { batch, threads, runs, warmup, seconds } = BENCH.rows;
const BENCH_SHAPE: Shape<BenchOptions> = {
  batches: batch,
  ...{ threads, runs, warmup, seconds },
  now: 'function',
  peak: 'function',
  onProgress: 'function',
};

/** Number of loads of a model, of which the median is taken; and of different samples, which are fed in turn. */
const LOADS = 3;
const SAMPLES = 4;
const LEAST_RUNS = 3;

/**
 * Times models side by side. In every round each model runs once on the same sample, and the models take turns in going
 * first, so that a slowdown of the machine affects all of them. Ratios are taken within a round.
 *
 * @param paths - paths of the models; ratios are relative to the first
 * @param dataFor - opens the data for a batch size, given the inputs of the models and a way to run the first
 * @throws CompressError `unsupported` if the inputs differ, `data` if there is no whole batch, `options` for a batch
 *   size that a model does not take, `runtime`, `io`, `malformed`
 */
export async function bench(
  paths: readonly string[],
  dataFor: (inputs: readonly ModelInput[], batch: number, trial: TrialRun) => DataSet | Promise<DataSet>,
  options: BenchOptions = {},
): Promise<BenchReport> {
  checkShape('bench', options, BENCH_SHAPE);
  const { runs, warmup, seconds, now, onProgress } = { ...BENCH_DEFAULTS, now: () => performance.now(), ...options };
  const facts: ModelFacts[] = [];
  for (const path of paths) facts.push(await readFacts(path));
  const [first, ...others] = facts as [ModelFacts, ...ModelFacts[]];
  const { inputs } = first;
  const { sessions, loadMs } = await load(paths, options.threads, now);
  try {
    const [session] = sessions as [Session, ...Session[]];
    for (const other of others) checkInputs(first, other);
    const batches = options.batches ?? [fixedRows(inputs) ?? 1];
    for (const batch of batches) checkBatch(first, batch);
    const reports: BatchReport[] = [];
    const total = batches.length * (runs + warmup);
    let description = '';
    let largest: Sample['feeds'] = {};
    for (const [index, batch] of batches.entries()) {
      const data = await dataFor(inputs, batch, (feeds) => session.run(feeds));
      ({ description } = data);
      const feeds = await samplesOf(data, batch, inputs);
      if (index === 0 || batch >= Math.max(...batches)) largest = feeds[0] as Sample['feeds'];
      const done = index * (runs + warmup);
      const onRound = (round: number): void => onProgress?.(done + round, total);
      const times = await rounds(sessions, feeds, { runs, warmup, seconds, now, onRound });
      reports.push(reportOf(paths, rowsOf(feeds[0], inputs), times));
    }
    for (const one of sessions) await one.release();
    const models: ModelReport[] = [];
    for (const [index, model] of paths.entries()) {
      const peakBytes = await options.peak?.(model, largest, options.threads);
      models.push({
        model,
        bytes: (facts[index] as ModelFacts).byteLength,
        loadMs: loadMs[index] as number,
        peakBytes,
      });
    }
    onProgress?.(total, total);
    return { data: description, threads: options.threads, models, batches: reports };
  } finally {
    for (const session of sessions) await session.release();
  }
}

/**
 * Throws unless every model is fast enough.
 * @param most - largest allowed ratio of a model's median time to that of the first model
 * @throws CompressError `gate` that names each model, batch size and ratio
 */
export function checkRatio(report: BenchReport, most: number): void {
  const facts = report.batches.flatMap(({ batch, models }) =>
    models
      .filter(({ ratio }) => ratio.median > most)
      .map(({ model, ratio }) => {
        const shown = (Math.ceil(ratio.median * 100) / 100).toFixed(2);
        return `'${model}' takes ${shown} times as long as the first${batch === undefined ? '' : ` at batch ${batch}`}`;
      }),
  );
  const [first] = report.models;
  if (facts.length > 0)
    throw new CompressError('gate', first?.model ?? '', `${facts.join('; ')}; at most ${most} is allowed`);
}

/** A session for each model, and the median load time; models take turns in loading, as in running. */
async function load(
  paths: readonly string[],
  threads: number | undefined,
  now: () => number,
): Promise<{ sessions: Session[]; loadMs: number[] }> {
  const sessions: Session[] = [];
  const times: number[][] = paths.map(() => []);
  const settings = threads === undefined ? {} : { threads };
  try {
    for (let time = 0; time < LOADS; time++) {
      for (const session of sessions.splice(0)) await session.release();
      for (const [index, path] of paths.entries()) {
        const start = now();
        sessions.push(await openSession(path, settings));
        times[index]?.push(now() - start);
      }
    }
  } catch (cause) {
    for (const session of sessions) await session.release();
    throw cause;
  }
  return { sessions, loadMs: times.map((list) => quantile(list, 0.5)) };
}

function checkInputs(first: ModelFacts, other: ModelFacts): void {
  const key = (inputs: readonly ValueInfo[]): string =>
    inputs
      .map((one) => `${one.name}: ${one.dtype ?? '?'}`)
      .sort()
      .join(', ');
  if (key(first.inputs) === key(other.inputs)) {
    checkSameInputs(first, other);
    return;
  }
  const fact = `takes ${key(other.inputs)}; ${first.label} takes ${key(first.inputs)}`;
  throw new CompressError('unsupported', other.label, fact, { hint: 'Were both made from the same model?' });
}

/** A batch size must equal the one that the model fixes, unless one of its inputs leaves it open. */
function checkBatch({ inputs, label }: ModelFacts, batch: number): void {
  const open = inputs.some((one) => isOpen(one, 0));
  const input = inputs.find((one) => typeof one.dims?.[0] === 'number');
  if (open || input === undefined || input.dims?.[0] === batch) return;
  const fact = `input '${input.name}' has a fixed batch size of ${input.dims?.[0]}; it does not accept ${batch} rows`;
  throw new CompressError('options', label, fact, {
    hint: 'Leave out `batches`, or export the model with a dynamic batch size.',
  });
}

/** The first few samples with the requested number of rows. */
async function samplesOf(data: DataSet, batch: number, inputs: readonly ValueInfo[]): Promise<Sample['feeds'][]> {
  const feeds: Sample['feeds'][] = [];
  const fixed = fixedRows(inputs) !== undefined;
  let rows = 0;
  for await (const sample of data.samples()) {
    const own = rowsOf(sample.feeds, inputs);
    rows += own ?? 1;
    if (own !== undefined && own !== batch && !fixed) continue;
    feeds.push(sample.feeds);
    if (feeds.length === SAMPLES) break;
  }
  if (feeds.length > 0) return feeds;
  throw new CompressError('data', data.description, `has ${rows} rows; a batch of ${batch} needs ${batch}`);
}

/** Rows of a sample: those of the first input with rows, preferably one whose rows are open. */
function rowsOf(feeds: Sample['feeds'] | undefined, inputs: readonly ValueInfo[]): number | undefined {
  const names = rowNames(inputs);
  const counts = inputs.flatMap((one) => {
    const axis = rowAxis(one, names);
    const rows = axis === undefined ? undefined : feeds?.[one.name]?.dims[axis];
    return rows === undefined ? [] : [{ rows, open: isOpen(one, axis ?? 0) }];
  });
  return (counts.find((one) => one.open) ?? counts[0])?.rows;
}

interface RoundOptions extends Required<Pick<BenchOptions, 'runs' | 'warmup' | 'seconds' | 'now'>> {
  readonly onRound: (round: number) => void;
}

/** Milliseconds by model and round. */
async function rounds(
  sessions: readonly Session[],
  feeds: readonly Sample['feeds'][],
  { runs, warmup, seconds, now, onRound }: RoundOptions,
): Promise<number[][]> {
  const times: number[][] = sessions.map(() => []);
  const began = now();
  for (let round = 0; round < runs + warmup; round++) {
    const measured = times[0]?.length ?? 0;
    if (now() - began > seconds * 1000 && measured >= Math.min(LEAST_RUNS, runs)) break;
    // A slow model needs less warm-up: at least half of the time is for measured rounds.
    const warming = round < warmup && now() - began <= (seconds * 1000) / 2;
    for (let turn = 0; turn < sessions.length; turn++) {
      const index = (round + turn) % sessions.length;
      const feed = feeds[round % feeds.length] as Sample['feeds'];
      const start = now();
      await sessions[index]?.run(feed);
      if (!warming) times[index]?.push(now() - start);
    }
    onRound(round + 1);
  }
  return times;
}

function reportOf(paths: readonly string[], batch: number | undefined, times: readonly number[][]): BatchReport {
  const [first = []] = times;
  const models = paths.map((model, index): Timing => {
    const own = times[index] as number[];
    return { model, ms: spread(own), ratio: spread(own.map((time, round) => time / (first[round] as number))) };
  });
  return { batch, runs: first.length, models };
}

function spread(list: readonly number[]): Spread {
  return { median: quantile(list, 0.5), p10: quantile(list, 0.1), p90: quantile(list, 0.9) };
}

/** Linear interpolation between the two nearest values, as NumPy's default. */
function quantile(list: readonly number[], part: number): number {
  const sorted = list.toSorted((a, b) => a - b);
  const at = part * (sorted.length - 1);
  const low = sorted[Math.floor(at)] as number;
  const high = sorted[Math.ceil(at)] as number;
  return low + (high - low) * (at - Math.floor(at));
}
