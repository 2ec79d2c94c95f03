import { selectThreshold } from '../../kernels/magnitude.ts';
import { type Context, isOrdered, measured, seedName, wanted } from './context.ts';
import { type Choose, NOTHING, zeroChosen } from './measure.ts';
import type { Planned } from './planned.ts';
import { chooseRandom } from './random.ts';
import { addDigits, type Target } from './targets.ts';

/** Prunes its amount of every weight tensor by itself. */
export async function pruneEach(targets: readonly Target[], context: Context): Promise<Planned[]> {
  const planned: Planned[] = [];
  for (const target of targets) {
    const one = await pruneOne(target, context.amountOf(target) ?? 0, context);
    if (one !== undefined) planned.push(one);
  }
  return planned;
}

async function pruneOne(target: Target, amount: number, context: Context): Promise<Planned | undefined> {
  const { elements, held } = target;
  const { method, of, seed } = context.options;
  const size = { total: elements, gone: 0, things: 'weights' };
  // Said before anything is read.
  if (wanted({ ...context, options: { ...context.options, of: 'all' } }, target, amount, size) === undefined) return;
  const scale = await measured(context, target, 'keep');
  const { zeros, nans } = await scale.countSpecial();
  if (!isOrdered(context, target, nans)) return;
  const count = wanted(context, target, amount, { ...size, gone: zeros });
  if (count === undefined) return;
  if (method === 'random') {
    const skipZeros = of === 'remaining';
    const total = skipZeros ? elements - zeros : elements;
    const choose: Choose = chooseRandom(held.tensor, { total, count, seed, name: seedName(target), skipZeros });
    return { target, zeros, pruning: count === 0 ? NOTHING : await zeroChosen(held.tensor, choose) };
  }
  const least = of === 'remaining' ? zeros + count : count;
  if (count === 0 || (scale.zerosFirst && zeros >= least)) return { target, zeros, pruning: NOTHING };
  const threshold = await selectThreshold(() => once(scale), scale.width, least, addDigits);
  return { target, zeros, pruning: await scale.prune(threshold) };
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
