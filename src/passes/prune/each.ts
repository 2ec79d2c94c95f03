import { threadCount } from '../../compute/pool.ts';
import { thresholdWithin } from '../../kernels/bracket.ts';
import { selectThreshold, type Threshold } from '../../kernels/magnitude.ts';
import { type Context, isOrdered, measured, seedName, wanted } from './context.ts';
import { type Choose, type Measured, NOTHING, zeroChosen } from './measure.ts';
import type { Planned } from './planned.ts';
import { chooseRandom } from './random.ts';
import { type Surveyed, survey } from './survey.ts';
import { addDigits, countOf, type Target } from './targets.ts';

/** A weight of which the measuring has begun. */
interface Begun {
  readonly target: Target;
  readonly scale: Measured;
  /** What is known of its threshold without the zeros. */
  readonly look: Promise<Look>;
  /** Whether one thread looks at it, so that others can look at the next ones. */
  readonly apart: boolean;
}

/** One look at a weight: a threshold and how many elements it prunes, or what tells it. */
interface Look {
  readonly threshold?: { readonly count: number; readonly found: Threshold | undefined };
  readonly surveyed?: Surveyed;
}

/** Prunes its amount of every weight tensor by itself. */
export async function pruneEach(targets: readonly Target[], context: Context): Promise<Planned[]> {
  const planned: Planned[] = [];
  // Said before anything is read.
  const all = { ...context, options: { ...context.options, of: 'all' as const } };
  const waiting = targets.filter((one) => wanted(all, one, amountOf(one, context), sizeOf(one, 0)) !== undefined);
  const elements = waiting.reduce((sum, one) => sum + one.elements, 0);
  // A thread's share of all: a larger weight is one for all threads together.
  const share = elements / Math.max(1, threadCount());
  const begun: Begun[] = [];
  let next = 0;
  try {
    for (let done = 0; done < waiting.length; done++) {
      // Other threads look at the next weights while this one is thought about.
      while (next < waiting.length && begun.length < (begun[0]?.apart === true ? 2 * threadCount() : 2)) {
        begun.push(await begin(waiting[next++] as Target, context, share));
      }
      const one = await pruneOne(begun[0] as Begun, context);
      begun.shift();
      if (one !== undefined) planned.push(one);
      context.watch?.(done + 1, waiting.length);
    }
  } finally {
    // After an error: what reads the file ends before somebody closes it.
    await Promise.allSettled(begun.map(({ look }) => look));
  }
  return planned;
}

function amountOf(target: Target, context: Context): number {
  return context.amountOf(target) ?? 0;
}

function sizeOf({ elements }: Target, gone: number): Parameters<typeof wanted>[3] {
  return { total: elements, gone, things: 'weights' };
}

async function begin(target: Target, context: Context, share: number): Promise<Begun> {
  const scale = await measured(context, target, 'keep');
  const { elements } = target;
  const { method, of } = context.options;
  const count = countOf(amountOf(target, context), elements);
  // Of what remains: how many that is, is known after the first look.
  const blind = method === 'random' || of === 'remaining';
  const select = blind || count === 0 || elements > share ? undefined : scale.surveying?.select;
  const look = async (): Promise<Look> => {
    if (blind) return {};
    if (select !== undefined) return { threshold: { count, found: await select(count) } };
    return { surveyed: await survey([{ measured: scale, elements }], count / elements) };
  };
  const begun = { target, scale, look: look(), apart: select !== undefined };
  // Its failure is told by who waits for it; until then nobody looks.
  begun.look.catch(() => {});
  return begun;
}

/** Prunes one weight; undefined where it is skipped. */
async function pruneOne({ target, scale, look }: Begun, context: Context): Promise<Planned | undefined> {
  const { elements, held } = target;
  const { method, of, seed } = context.options;
  const { threshold: selected, surveyed } = await look;
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
