import { selectThreshold } from '../../kernels/magnitude.ts';
import type { Change, Skip } from '../pass.ts';
import { skipUse, type WeightUse } from '../select.ts';
import { type Measured, measure, NOTHING, zeroChosen } from './measure.ts';
import type { Settled } from './options.ts';
import { selectRandom } from './random.ts';
import { addDigits, applyPruning, countOf, NAN_DETAIL, type Target } from './targets.ts';

/** A target that can be compared with the others, its zeros counted. */
interface Usable extends Target {
  readonly zeros: number;
  readonly measured: Measured;
}

/** Prunes `amount` of all weights together, under one threshold. */
export async function pruneGlobal(targets: readonly Target[], options: Settled, skips: Skip[]): Promise<Change[]> {
  const usable: Usable[] = [];
  const wide = targets.some((one) => one.held.tensor.dtype !== 'float64');
  for (const target of targets) {
    const [use] = target.uses as [WeightUse];
    const measured = await measure(target.held.tensor, 'forget');
    const { zeros, nans } = await measured.countSpecial();
    if (wide && measured.width === 4) {
      skips.push(skipUse(use, 'mixed_dtype', 'it is float64 beside smaller floats under one threshold'));
    } else if (options.method !== 'random' && nans > 0) {
      skips.push(skipUse(use, 'non_finite', NAN_DETAIL));
    } else {
      usable.push({ ...target, zeros, measured });
    }
  }
  const total = usable.reduce((sum, one) => sum + one.elements, 0);
  const count = countOf(options.amount, total);
  if (count === 0) return usable.map((target) => applyPruning(target, target.zeros, NOTHING));
  return options.method === 'random'
    ? globalRandom(usable, total, count, options.seed)
    : globalThreshold(usable, count);
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

async function globalThreshold(targets: readonly Usable[], count: number): Promise<Change[]> {
  async function* pass(): AsyncGenerator<Measured> {
    for (const { measured } of targets) yield measured;
  }
  const width = targets[0]?.measured.width ?? 2;
  const threshold = await selectThreshold(pass, width, count, addDigits);
  const changes: Change[] = [];
  // Ties are given to the tensors in order.
  for (const target of targets)
    changes.push(applyPruning(target, target.zeros, await target.measured.prune(threshold)));
  return changes;
}
