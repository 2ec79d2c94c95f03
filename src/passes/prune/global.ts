import { thresholdWithin, type Within } from '../../kernels/bracket.ts';
import { selectThreshold } from '../../kernels/magnitude.ts';
import { type Context, isOrdered, leave, measured } from './context.ts';
import { type Measured, NOTHING, zeroChosen } from './measure.ts';
import type { Planned } from './planned.ts';
import { chooseRandom } from './random.ts';
import { survey } from './survey.ts';
import { addDigits, countOf, type TargetWeight } from './targets.ts';

/** A target, and what ranks its elements. */
interface Weight {
  readonly target: TargetWeight;
  readonly scale: Measured;
}

/** A target that can be compared with the others, its zeros counted. */
interface Usable extends Weight {
  readonly zeros: number;
}

/** Prunes `amount` of all weights together, under one threshold. */
export async function pruneGlobal(targets: readonly TargetWeight[], context: Context): Promise<Planned[]> {
  const { method, of, amount = 0 } = context.options;
  const usable: Usable[] = [];
  const wide = targets.some((one) => one.held.tensor.dtype !== 'float64');
  const weights: Weight[] = [];
  for (const target of targets) weights.push({ target, scale: await measured(context, target, 'forget') });
  const found = method === 'random' || of === 'remaining' ? undefined : await surveyed(weights, amount);
  for (const [index, { target, scale }] of weights.entries()) {
    const { zeros, nans } = await scale.countSpecial();
    if (wide && scale.width === 4 && context.scores === undefined) {
      leave(context, target, 'mixed_dtype', 'float64 cannot share one threshold with smaller floats');
    } else if (isOrdered(context, target, nans)) {
      usable.push({ target, zeros, scale });
    }
    context.watch?.(index + 1, weights.length);
  }
  const zeros = usable.reduce((sum, one) => sum + one.zeros, 0);
  const elements = usable.reduce((sum, one) => sum + one.target.elements, 0);
  const gone = of === 'remaining' ? zeros : 0;
  const count = countOf(amount, elements - gone);
  if (count === 0) return usable.map(({ target, zeros }) => ({ target, zeros, pruning: NOTHING }));
  return method === 'random'
    ? globalRandom(usable, elements - gone, count, context)
    : globalThreshold(usable, gone + count, found && usable.flatMap(({ scale }) => found.get(scale) ?? []));
}

/** Reads all weights once; those that turn out to be unusable are removed afterwards. */
async function surveyed(
  weights: readonly Weight[],
  amount: number,
): Promise<Map<Measured, readonly Within[]> | undefined> {
  const sampled = weights.map(({ target, scale }) => ({ measured: scale, elements: target.elements }));
  const total = sampled.reduce((sum, one) => sum + one.elements, 0);
  const parts = total === 0 ? undefined : await survey(sampled, countOf(amount, total) / total);
  return parts && new Map(weights.map(({ scale }, index) => [scale, parts[index] as readonly Within[]]));
}

async function globalRandom(
  usable: readonly Usable[],
  total: number,
  count: number,
  { options }: Context,
): Promise<Planned[]> {
  const planned: Planned[] = [];
  const skipZeros = options.of === 'remaining';
  let start = 0;
  for (const { target, zeros } of usable) {
    const { tensor } = target.held;
    const end = start + target.elements - (skipZeros ? zeros : 0);
    const choose = chooseRandom(tensor, { total, count, seed: options.seed, name: '', skipZeros, start, end });
    planned.push({ target, zeros, pruning: await zeroChosen(tensor, choose) });
    start = end;
  }
  return planned;
}

async function globalThreshold(
  usable: readonly Usable[],
  count: number,
  parts: readonly Within[] | undefined,
): Promise<Planned[]> {
  async function* pass(): AsyncGenerator<Measured> {
    for (const { scale } of usable) yield scale;
  }
  const width = usable[0]?.scale.width ?? 2;
  const zeros = usable.reduce((sum, one) => sum + one.zeros, 0);
  const threshold =
    (parts !== undefined && count > zeros ? thresholdWithin(parts, count) : undefined) ??
    (await selectThreshold(pass, width, count, addDigits));
  const planned: Planned[] = [];
  // Ties are pruned in the order of the tensors.
  for (const { target, zeros, scale } of usable) {
    planned.push({ target, zeros, pruning: await scale.prune(threshold) });
  }
  return planned;
}
