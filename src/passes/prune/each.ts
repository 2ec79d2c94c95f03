import { selectThreshold } from '../../kernels/magnitude.ts';
import { heldName } from '../held.ts';
import type { Change, Skip } from '../pass.ts';
import { skipUse, type WeightUse } from '../select.ts';
import { measure, NOTHING, zeroChosen } from './measure.ts';
import type { Settled } from './options.ts';
import { selectRandom } from './random.ts';
import { addDigits, applyPruning, countOf, NAN_DETAIL, type Target } from './targets.ts';

/** Prunes `amount` of every weight tensor by itself. */
export async function pruneEach(targets: readonly Target[], options: Settled, skips: Skip[]): Promise<Change[]> {
  const changes: Change[] = [];
  for (const target of targets) {
    const [use] = target.uses as [WeightUse];
    const { elements } = target;
    if (options.amount > elements) {
      skips.push(skipUse(use, 'amount_exceeds_size', `it has ${elements} weights, fewer than ${options.amount}`));
      continue;
    }
    const measured = await measure(target.held.tensor, 'keep');
    const count = countOf(options.amount, elements);
    const { zeros, nans } = await measured.countSpecial();
    if (options.method === 'random') {
      const choose = (zero: (index: number) => void): void =>
        selectRandom(elements, count, options.seed, heldName(target.held), zero);
      changes.push(applyPruning(target, zeros, await zeroChosen(target.held.tensor, choose)));
    } else if (nans > 0) {
      skips.push(skipUse(use, 'non_finite', NAN_DETAIL));
    } else if (zeros >= count) {
      changes.push(applyPruning(target, zeros, NOTHING));
    } else {
      const threshold = await selectThreshold(() => once(measured), measured.width, count, addDigits);
      changes.push(applyPruning(target, zeros, await measured.prune(threshold)));
    }
  }
  return changes;
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
