import { type GroupPattern, zeroInGroups } from '../../kernels/groups.ts';
import { channelLayout } from '../../kernels/layout.ts';
import { type FoundAxis, findAxis } from '../../layers/axes.ts';
import { type Context, isOrdered, leave } from './context.ts';
import { type Choose, countSpecial, zeroChosen } from './measure.ts';
import { floatsOf } from './numbers.ts';
import type { Planned } from './planned.ts';
import { loadScores } from './scored.ts';
import type { TargetWeight } from './targets.ts';

/**
 * N:M sparsity: of every M weights that are neighbours along the inputs of a sum, the N with the largest magnitude, or
 * score, stay.
 *
 * Neighbours are input channels: along `in` of a matrix, and of a convolution at the same place of the kernel, as
 * NVIDIA's ASP and TensorRT group them. A group at the end that is shorter than M counts as filled up with zeros.
 *
 * @see https://arxiv.org/abs/2102.04010 Zhou et al., Learning N:M Fine-grained Structured Sparse Neural Networks From
 *   Scratch
 * @see https://arxiv.org/abs/2104.08378 Mishra et al., Accelerating Sparse Deep Neural Networks
 */
export async function pruneGroups(
  targets: readonly TargetWeight[],
  pattern: GroupPattern,
  context: Context,
): Promise<Planned[]> {
  const planned: Planned[] = [];
  for (const target of targets) {
    const one = await pruneOne(target, pattern, context);
    if (one !== undefined) planned.push(one);
  }
  return planned;
}

/**
 * Says that a sum has fewer inputs along this axis than a group has; undefined where there is at least one whole group.
 */
export function fewInputs({ axis, run }: Exclude<FoundAxis, string>, group: number): string | undefined {
  if (run >= group) return undefined;
  return `it has ${run} ${run === 1 ? 'input' : 'inputs'} along axis ${axis}, fewer than a group of ${group}`;
}

async function pruneOne(target: TargetWeight, pattern: GroupPattern, context: Context): Promise<Planned | undefined> {
  const { tensor } = target.held;
  const found = findAxis(target, 'in', false);
  if (typeof found === 'string') return leave(context, target, 'no_such_axis', found);
  const { keep, group } = pattern;
  const few = fewInputs(found, group);
  if (few !== undefined) return leave(context, target, 'group_exceeds_size', few);
  const layout = channelLayout(tensor.dims, found.axis);
  const bytes = await tensor.load();
  const { zeros, nans } = await countSpecial(bytes, tensor);
  if (!isOrdered(context, target, nans)) return;
  const score = context.scores?.get(target);
  const choose: Choose = async (zero, own) => {
    const sizes = score === undefined ? floatsOf(own, tensor.dtype) : await loadScores(score, context.scoreWidth);
    zeroInGroups(sizes, layout, found.run, pattern, zero);
  };
  const form = `${keep}:${group} along axis ${found.axis}`;
  return { target, zeros, pruning: await zeroChosen(tensor, choose, bytes), form };
}
