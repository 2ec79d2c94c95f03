import { thresholdWithin } from '../../kernels/bracket.ts';
import { selectThreshold } from '../../kernels/magnitude.ts';
import { heldName } from '../held.ts';
import type { Change, Skip } from '../pass.ts';
import { skipUse, type WeightUse } from '../select.ts';
import { type Measured, measure, NOTHING, zeroChosen } from './measure.ts';
import type { Settled } from './options.ts';
import { selectRandom } from './random.ts';
import { type Surveyed, survey } from './survey.ts';
import { addDigits, applyPruning, countOf, NAN_DETAIL, type Target } from './targets.ts';

/** A weight of which the measuring has begun. */
interface Begun {
  readonly measured: Measured;
  readonly surveyed: Promise<Surveyed>;
}

/** Prunes `amount` of every weight tensor by itself. */
export async function pruneEach(targets: readonly Target[], options: Settled, skips: Skip[]): Promise<Change[]> {
  const changes: Change[] = [];
  const fits = (target: Target): boolean => options.amount <= target.elements;
  const waiting = targets.filter(fits);
  let begun: Begun | undefined;
  try {
    for (const target of targets) {
      if (!fits(target)) {
        const detail = `it has ${target.elements} weights, fewer than ${options.amount}`;
        skips.push(skipUse(target.uses[0] as WeightUse, 'amount_exceeds_size', detail));
        continue;
      }
      waiting.shift();
      const current = begun ?? (await begin(target, options));
      // Other threads look at the next weight while this one is thought about.
      const [next] = waiting;
      begun = next && (await begin(next, options));
      const change = await pruneOne(target, current, options, skips);
      if (change !== undefined) changes.push(change);
    }
  } finally {
    // After an error: what reads the file ends before somebody closes it.
    await begun?.surveyed.catch(() => {});
  }
  return changes;
}

async function begin(target: Target, options: Settled): Promise<Begun> {
  const measured = await measure(target.held.tensor, 'keep');
  const { elements } = target;
  const share = countOf(options.amount, elements) / elements;
  const surveyed = options.method === 'random' ? Promise.resolve(undefined) : survey([{ measured, elements }], share);
  // Its failure is told by who waits for it; until then nobody looks.
  surveyed.catch(() => {});
  return { measured, surveyed };
}

/** Prunes one weight; undefined where it is skipped. */
async function pruneOne(
  target: Target,
  { measured, surveyed }: Begun,
  options: Settled,
  skips: Skip[],
): Promise<Change | undefined> {
  const [use] = target.uses as [WeightUse];
  const { elements } = target;
  const count = countOf(options.amount, elements);
  const parts = await surveyed;
  const { zeros, nans } = await measured.countSpecial();
  if (options.method === 'random') {
    const choose = (zero: (index: number) => void): void =>
      selectRandom(elements, count, options.seed, heldName(target.held), zero);
    return applyPruning(target, zeros, await zeroChosen(target.held.tensor, choose));
  }
  if (nans > 0) {
    skips.push(skipUse(use, 'non_finite', NAN_DETAIL));
    return undefined;
  }
  if (zeros >= count) return applyPruning(target, zeros, NOTHING);
  const threshold =
    (parts && thresholdWithin(parts.flat(), count)) ??
    (await selectThreshold(() => once(measured), measured.width, count, addDigits));
  return applyPruning(target, zeros, await measured.prune(threshold));
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
