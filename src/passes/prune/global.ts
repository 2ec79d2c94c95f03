import { thresholdWithin, type Within } from '../../kernels/bracket.ts';
import { selectThreshold } from '../../kernels/magnitude.ts';
import type { Change, Skip } from '../pass.ts';
import { skipUse, type WeightUse } from '../select.ts';
import { type Measured, measure, NOTHING, zeroChosen } from './measure.ts';
import type { Settled } from './options.ts';
import { selectRandom } from './random.ts';
import { survey } from './survey.ts';
import { addDigits, applyPruning, countOf, NAN_DETAIL, type Target } from './targets.ts';

/** A target with a way to measure it. */
interface Weight extends Target {
  readonly measured: Measured;
}

/** A target that can be compared with the others, its zeros counted. */
interface Usable extends Weight {
  readonly zeros: number;
}

/** Prunes `amount` of all weights together, under one threshold. */
export async function pruneGlobal(targets: readonly Target[], options: Settled, skips: Skip[]): Promise<Change[]> {
  const usable: Usable[] = [];
  const wide = targets.some((one) => one.held.tensor.dtype !== 'float64');
  const weights: Weight[] = [];
  for (const target of targets) weights.push({ ...target, measured: await measure(target.held.tensor, 'forget') });
  const found = options.method === 'random' ? undefined : await surveyed(weights, options.amount);
  for (const target of weights) {
    const [use] = target.uses as [WeightUse];
    const { measured } = target;
    const { zeros, nans } = await measured.countSpecial();
    if (wide && measured.width === 4) {
      skips.push(skipUse(use, 'mixed_dtype', 'it is float64 beside smaller floats under one threshold'));
    } else if (options.method !== 'random' && nans > 0) {
      skips.push(skipUse(use, 'non_finite', NAN_DETAIL));
    } else {
      usable.push({ ...target, zeros });
    }
  }
  const total = usable.reduce((sum, one) => sum + one.elements, 0);
  const count = countOf(options.amount, total);
  if (count === 0) return usable.map((target) => applyPruning(target, target.zeros, NOTHING));
  if (options.method === 'random') return globalRandom(usable, total, count, options.seed);
  const parts = found && usable.flatMap(({ measured }) => found.get(measured) ?? []);
  return globalThreshold(usable, count, parts);
}

/** One look at all weights; those that turn out not to be usable are left out of it afterwards. */
async function surveyed(
  weights: readonly Weight[],
  amount: number,
): Promise<Map<Measured, readonly Within[]> | undefined> {
  const total = weights.reduce((sum, one) => sum + one.elements, 0);
  const parts = total === 0 ? undefined : await survey(weights, countOf(amount, total) / total);
  return parts && new Map(weights.map(({ measured }, index) => [measured, parts[index] as readonly Within[]]));
}

async function globalRandom(targets: readonly Usable[], total: number, count: number, seed: number): Promise<Change[]> {
  const changes: Change[] = [];
  let start = 0;
  for (const target of targets) {
    const [first, last] = [start, start + target.elements];
    const choose = (zero: (index: number) => void): void =>
      selectRandom(total, count, seed, '', (index) => {
        if (index >= first && index < last) zero(index - first);
      });
    changes.push(applyPruning(target, target.zeros, await zeroChosen(target.held.tensor, choose)));
    start = last;
  }
  return changes;
}

async function globalThreshold(
  targets: readonly Usable[],
  count: number,
  parts: readonly Within[] | undefined,
): Promise<Change[]> {
  async function* pass(): AsyncGenerator<Measured> {
    for (const { measured } of targets) yield measured;
  }
  const width = targets[0]?.measured.width ?? 2;
  const zeros = targets.reduce((sum, one) => sum + one.zeros, 0);
  const threshold =
    (parts !== undefined && count > zeros ? thresholdWithin(parts, count) : undefined) ??
    (await selectThreshold(pass, width, count, addDigits));
  const changes: Change[] = [];
  // Ties are given to the tensors in order.
  for (const target of targets)
    changes.push(applyPruning(target, target.zeros, await target.measured.prune(threshold)));
  return changes;
}
