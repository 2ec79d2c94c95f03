import { runsOf } from '../../compute/chunks.ts';
import { piecewise, type Tensor } from '../../ir/tensor.ts';
import { type GroupPattern, zeroInGroups } from '../../kernels/groups.ts';
import { type ChannelLayout, channelLayout } from '../../kernels/layout.ts';
import { type FoundAxis, findAxis } from '../../layers/axes.ts';
import { type Context, isOrdered, leave } from './context.ts';
import { type Choose, countSpecial, type Pruning, zeroChosen, zeroing, zeroTest } from './measure.ts';
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

/** A sentence if the axis is shorter than a group; undefined if there is at least one whole group. */
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
  const form = `${keep}:${group} along axis ${found.axis}`;
  const score = context.scores?.get(target);
  if (score === undefined) {
    const { zeros, nans, pruning } = await zeroInPieces(tensor, layout, found.run, pattern);
    return isOrdered(context, target, nans) ? { target, zeros, pruning, form } : undefined;
  }
  const bytes = await tensor.load();
  const { zeros, nans } = await countSpecial(bytes, tensor);
  if (!isOrdered(context, target, nans)) return;
  const choose: Choose = async (zero) => {
    zeroInGroups(await loadScores(score, context.scoreWidth), layout, found.run, pattern, zero);
  };
  return { target, zeros, pruning: await zeroChosen(tensor, choose, bytes), form };
}

/** Bytes per chunk: with chunks of 1 MiB, the engine is a sixth slower. */
const PIECE: number = 8 << 20;

/** Prunes by magnitude, in chunks of whole groups, so that a large weight is never in memory as a whole. */
async function zeroInPieces(
  tensor: Tensor,
  { outer, channels, inner }: ChannelLayout,
  run: number,
  pattern: GroupPattern,
): Promise<{ readonly zeros: number; readonly nans: number; readonly pruning: Pruning }> {
  // A single matrix is split along its channels: at ends of groups, or at ends of runs if groups do not fill runs.
  const isSingle = outer === 1;
  const cut = run < channels && run % pattern.group !== 0 ? run : pattern.group;
  const unit = (isSingle ? cut : channels) * inner;
  const own = isSingle && cut !== run ? Number.MAX_SAFE_INTEGER : run;
  const choose = (bytes: Uint8Array, zero: (index: number) => void): void => {
    const data = floatsOf(bytes, tensor.dtype);
    const layout = isSingle
      ? { outer, channels: data.length / inner, inner }
      : { outer: data.length / unit, channels, inner };
    zeroInGroups(data, layout, own, pattern, zero);
  };
  let [zeros, nans, lost] = [0, 0, 0];
  for await (const { bytes } of runsOf(tensor, unit, PIECE)) {
    const special = await countSpecial(bytes, tensor);
    zeros += special.zeros;
    nans += special.nans;
    const isZero = zeroTest(bytes, tensor);
    choose(bytes, (index) => {
      if (!isZero(index)) lost++;
    });
  }
  async function* chunks(): AsyncGenerator<Uint8Array, void, void> {
    for await (const { bytes } of runsOf(tensor, unit, PIECE)) {
      const copy = new Uint8Array(bytes);
      choose(bytes, zeroing(copy, tensor));
      yield copy;
    }
  }
  return {
    zeros,
    nans,
    pruning: { lost, replacement: piecewise(tensor.name, tensor.dtype, tensor.dims, chunks, tensor.extra) },
  };
}
