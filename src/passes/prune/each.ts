import { isShared, threadCount } from '../../compute/executor.ts';
import { thresholdWithin } from '../../kernels/bracket.ts';
import { selectThreshold, type Threshold } from '../../kernels/magnitude.ts';
import { overlapped } from '../overlapped.ts';
import { type Context, isOrdered, measured, seedName, wanted } from './context.ts';
import { type Choose, type Measured, NOTHING, zeroChosen } from './measure.ts';
import type { Planned } from './planned.ts';
import { chooseRandom } from './random.ts';
import { type Surveyed, survey } from './survey.ts';
import { addDigits, countOf, type TargetWeight } from './targets.ts';

/** A weight that was measured. */
interface Looked {
  readonly target: TargetWeight;
  readonly scale: Measured;
  /** The result of the first reading. Zeros are not counted yet. */
  readonly look: Look;
}

/** The first reading of a weight: the threshold and how many elements it prunes, or a survey that narrows it down. */
interface Look {
  readonly threshold?: { readonly count: number; readonly found: Threshold | undefined };
  readonly surveyed?: Surveyed;
}

/** Prunes every weight tensor by itself, each by its amount. */
export async function pruneEach(targets: readonly TargetWeight[], context: Context): Promise<Planned[]> {
  const planned: Planned[] = [];
  // Skips are recorded before any weight is read.
  const all = { ...context, options: { ...context.options, of: 'all' as const } };
  const waiting = targets.filter((one) => wanted(all, one, amountOf(one, context), sizeOf(one, 0)) !== undefined);
  const elements = waiting.reduce((sum, one) => sum + one.elements, 0);
  const shared = ({ held: { tensor } }: TargetWeight): boolean =>
    tensor.stored !== undefined && isShared(tensor.stored);
  const threads = waiting.some(shared) ? threadCount() : 1;
  // The share of one thread: all threads together work on a larger weight.
  const share = elements / threads;
  const atOnce = (one: TargetWeight): number => (one.elements <= share && shared(one) ? 2 * threads : 2);
  let done = 0;
  // Free threads measure the next weights while this thread chooses what to prune in one.
  for await (const looked of overlapped(waiting, atOnce, (target) => lookAt(target, context, share))) {
    const one = await pruneOne(looked, context);
    if (one !== undefined) planned.push(one);
    context.watch?.(++done, waiting.length);
  }
  return planned;
}

function amountOf(target: TargetWeight, context: Context): number {
  return context.amountOf(target) ?? 0;
}

function sizeOf({ elements }: TargetWeight, gone: number): Parameters<typeof wanted>[3] {
  return { total: elements, gone, things: 'weights' };
}

async function lookAt(target: TargetWeight, context: Context, share: number): Promise<Looked> {
  const scale = await measured(context, target, 'keep');
  const { elements } = target;
  const { method, of } = context.options;
  const count = countOf(amountOf(target, context), elements);
  // For `remaining`, the number is known only after the first reading.
  const blind = method === 'random' || of === 'remaining';
  const select = blind || count === 0 || elements > share ? undefined : scale.surveying?.select;
  if (blind) return { target, scale, look: {} };
  if (select !== undefined) return { target, scale, look: { threshold: { count, found: await select(count) } } };
  return { target, scale, look: { surveyed: await survey([{ measured: scale, elements }], count / elements) } };
}

/** Prunes one weight; undefined if it is skipped. */
async function pruneOne({ target, scale, look }: Looked, context: Context): Promise<Planned | undefined> {
  const { elements, held } = target;
  const { method, of, seed } = context.options;
  const { threshold: selected, surveyed } = look;
  const { zeros, nans } = await scale.countSpecial();
  if (!isOrdered(context, target, nans)) return undefined;
  const count = wanted(context, target, amountOf(target, context), sizeOf(target, zeros));
  if (count === undefined) return undefined;
  if (method === 'random') {
    const skipZeros = of === 'remaining';
    const total = skipZeros ? elements - zeros : elements;
    const choose: Choose = chooseRandom(held.tensor, { total, count, seed, name: seedName(target), skipZeros });
    return { target, zeros, pruning: count === 0 ? NOTHING : await zeroChosen(held.tensor, choose) };
  }
  const least = of === 'remaining' ? zeros + count : count;
  if (count === 0 || (scale.zerosFirst && zeros >= least)) return { target, zeros, pruning: NOTHING };
  const threshold =
    (selected?.count === least ? selected.found : undefined) ??
    (surveyed && thresholdWithin(surveyed.flat(), least)) ??
    (await selectThreshold(() => once(scale), scale.width, least, addDigits));
  return { target, zeros, pruning: await scale.prune(threshold) };
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
