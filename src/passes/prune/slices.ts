import { type ChannelLayout, channelLayout } from '../../kernels/layout.ts';
import { type Norm, type Numbers, sliceNorms, zeroSlices } from '../../kernels/sliceNorms.ts';
import { type Axis, findAxis } from '../../layers/axes.ts';
import { type Context, isOrdered, leave, seedName, wanted } from './context.ts';
import { type Choose, countSpecial, NOTHING, zeroChosen } from './measure.ts';
import { floatsOf } from './numbers.ts';
import type { Planned } from './planned.ts';
import { selectRandom } from './random.ts';
import { loadScores } from './scored.ts';
import type { TargetWeight } from './targets.ts';

/**
 * Prunes whole slices along an axis: `ln_structured(n, dim)` and `random_structured(dim)` of torch.
 *
 * A slice is ordered by its norm over all other axes; of equal norms the lower index goes first. With `of: 'remaining'`
 * slices that are zero already are not counted, as in torch's iterative pruning.
 */
export async function pruneSlices(targets: readonly TargetWeight[], axis: Axis, context: Context): Promise<Planned[]> {
  const planned: Planned[] = [];
  for (const target of targets) {
    const one = await pruneOne(target, axis, context);
    if (one !== undefined) planned.push(one);
  }
  return planned;
}

async function pruneOne(target: TargetWeight, axis: Axis, context: Context): Promise<Planned | undefined> {
  const { tensor } = target.held;
  const found = findAxis(target, axis);
  if (typeof found === 'string') return leave(context, target, 'no_such_axis', found);
  const layout = channelLayout(tensor.dims, found.axis);
  const bytes = await tensor.load();
  const { zeros, nans } = await countSpecial(bytes, tensor);
  if (!isOrdered(context, target, nans)) return;
  const data = floatsOf(bytes, tensor.dtype);
  const zero = zeroSlices(data, layout);
  const { channels } = layout;
  const gone = zero.reduce((sum, one) => sum + one, 0);
  const size = { total: channels, gone, things: `slices along axis ${found.axis}` };
  const count = wanted(context, target, context.amountOf(target) ?? 0, size);
  if (count === undefined) return;
  const among = [...zero.keys()].filter((index) => context.options.of === 'all' || zero[index] === 0);
  const slices = count === 0 ? [] : await choose(target, among, count, { data, layout }, context);
  const pruned = slices.filter((index) => zero[index] === 0).length + gone;
  const form = `${pruned} of ${channels} slices along axis ${found.axis}`;
  if (pruned === gone) return { target, zeros, pruning: NOTHING, form };
  return { target, zeros, pruning: await zeroChosen(tensor, zeroing(slices, layout), bytes), form };
}

/** The slices to prune, of those in `among`. */
async function choose(
  target: TargetWeight,
  among: readonly number[],
  count: number,
  { data, layout }: { readonly data: Numbers; readonly layout: ChannelLayout },
  { options, scores, scoreWidth }: Context,
): Promise<number[]> {
  if (options.method === 'random') {
    const slices: number[] = [];
    selectRandom(among.length, count, options.seed, seedName(target), (one) => slices.push(among[one] as number));
    return slices;
  }
  const score = scores?.get(target);
  const norms = sliceNorms(
    score === undefined ? data : await loadScores(score, scoreWidth),
    layout,
    options.method as Norm,
  );
  // Sorting is stable: equal norms stay in the order of their indices.
  return [...among].sort((a, b) => (norms[a] as number) - (norms[b] as number)).slice(0, count);
}

function zeroing(slices: readonly number[], { outer, channels, inner }: ChannelLayout): Choose {
  return (zero) => {
    for (let block = 0; block < outer; block++) {
      for (const slice of slices) zero((block * channels + slice) * inner, inner);
    }
  };
}
