import { CompressError } from '../../errors.ts';
import { type Choose, countSpecial, zeroChosen } from './measure.ts';
import type { Matched } from './named.ts';
import type { Planned } from './planned.ts';
import type { TargetWeight } from './targets.ts';

/**
 * Prunes by masks: `custom_from_mask` of torch. 0 prunes a weight, 1 keeps it.
 *
 * @throws CompressError `data` if a mask has another number
 */
export async function pruneMasked(
  targets: readonly TargetWeight[],
  masks: ReadonlyMap<TargetWeight, Matched>,
): Promise<Planned[]> {
  const planned: Planned[] = [];
  for (const target of targets) {
    const mask = masks.get(target);
    if (mask === undefined) continue;
    const { tensor } = target.held;
    const choose: Choose = async (zero) => {
      const keeps = await mask.load();
      for (let index = 0; index < keeps.length; index++) {
        const keep = keeps[index] as number;
        if (keep === 0) zero(index);
        else if (keep !== 1) {
          throw new CompressError(
            'data',
            mask.where,
            `contains ${keep}; a mask has 0 for pruned weights and 1 for the others`,
          );
        }
      }
    };
    const bytes = await tensor.load();
    const { zeros } = await countSpecial(bytes, tensor);
    planned.push({ target, zeros, pruning: await zeroChosen(tensor, choose, bytes) });
  }
  return planned;
}
