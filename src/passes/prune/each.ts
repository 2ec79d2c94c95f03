import { thresholdWithin } from '../../kernels/bracket.ts';
import { selectThreshold } from '../../kernels/magnitude.ts';
import { type Context, isOrdered, measured, seedName, wanted } from './context.ts';
import { type Choose, type Measured, NOTHING, zeroChosen } from './measure.ts';
import type { Planned } from './planned.ts';
import { chooseRandom } from './random.ts';
import { type Surveyed, survey } from './survey.ts';
import { addDigits, countOf, type Target } from './targets.ts';

/** A weight of which the measuring has begun. */
interface Begun {
  readonly scale: Measured;
  readonly surveyed: Promise<Surveyed>;
}

/** Prunes its amount of every weight tensor by itself. */
export async function pruneEach(targets: readonly Target[], context: Context): Promise<Planned[]> {
  const planned: Planned[] = [];
  // Said before anything is read.
  const all = { ...context, options: { ...context.options, of: 'all' as const } };
  const waiting = targets.filter((one) => wanted(all, one, amountOf(one, context), sizeOf(one, 0)) !== undefined);
  let begun: Begun | undefined;
  try {
    for (const [index, target] of waiting.entries()) {
      const current = begun ?? (await begin(target, context));
      // Other threads look at the next weight while this one is thought about.
      const next = waiting[index + 1];
      begun = next && (await begin(next, context));
      const one = await pruneOne(target, current, context);
      if (one !== undefined) planned.push(one);
      context.watch?.(index + 1, waiting.length);
    }
  } finally {
    // After an error: what reads the file ends before somebody closes it.
    await begun?.surveyed.catch(() => {});
  }
  return planned;
}

function amountOf(target: Target, context: Context): number {
  return context.amountOf(target) ?? 0;
}

function sizeOf({ elements }: Target, gone: number): Parameters<typeof wanted>[3] {
  return { total: elements, gone, things: 'weights' };
}

async function begin(target: Target, context: Context): Promise<Begun> {
  const scale = await measured(context, target, 'keep');
  const { elements } = target;
  const { method, of } = context.options;
  const share = countOf(amountOf(target, context), elements) / elements;
  // Of what remains: how many that is, is known after the first look.
  const blind = method === 'random' || of === 'remaining';
  const surveyed = blind ? Promise.resolve(undefined) : survey([{ measured: scale, elements }], share);
  // Its failure is told by who waits for it; until then nobody looks.
  surveyed.catch(() => {});
  return { scale, surveyed };
}

/** Prunes one weight; undefined where it is skipped. */
async function pruneOne(target: Target, { scale, surveyed }: Begun, context: Context): Promise<Planned | undefined> {
  const { elements, held } = target;
  const { method, of, seed } = context.options;
  const parts = await surveyed;
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
    (parts && thresholdWithin(parts.flat(), least)) ??
    (await selectThreshold(() => once(scale), scale.width, least, addDigits));
  return { target, zeros, pruning: await scale.prune(threshold) };
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
