import { channelAxis, type NormsRequest } from '../../activations/requests.ts';
import { runsOf } from '../../compute/chunks.ts';
import { elementCount, isFloat, isHalf } from '../../ir/dtype.ts';
import { axisMagnitudes } from '../../kernels/channels.ts';
import { toFloat32 } from '../../kernels/views.ts';
import type { Analysis } from './analysis.ts';
import { type Group, groupLayers, type Occurrence } from './groups.ts';
import type { ChannelActivations, ChannelNorm } from './options.ts';

/**
 * How important each channel of each group is: the norm of its columns in every weight that reads it, in units of the
 * mean over the group, and the mean of these over the weights:
 *
 * `I[c] = mean over W of ‖W[:, c]‖ / mean over c' of ‖W[:, c']‖`
 *
 * so that a layer with large weights does not dominate, and groups can be compared. The weights that produce a channel
 * say less about the loss, and count only if no weight reads it. With activations, the columns are scaled by the norm
 * of the channel (`Σ |W[:, c]|·‖x[c]‖`, as Wanda does for single weights).
 *
 * @param norms - `√(Σ x²)` of each channel, by the weight that reads it
 * @returns undefined for a group with NaN or infinity among its weights
 * @see https://arxiv.org/abs/2301.12900 section 3.3
 * @see https://arxiv.org/abs/2306.11695 Sun et al., Wanda
 */
export async function importances(
  groups: readonly Group[],
  norm: ChannelNorm,
  norms: ReadonlyMap<string, Float64Array>,
): Promise<(Float64Array | undefined)[]> {
  const cached = new Map<string, Float64Array>();
  const scores: (Float64Array | undefined)[] = [];
  for (const group of groups) {
    const parts: Float64Array[] = [];
    for (const one of counted(group, norm, norms)) {
      const key = `${one.axis} ${one.weight.name}`;
      const magnitudes = cached.get(key) ?? (await magnitudesOf(one, norm));
      cached.set(key, magnitudes);
      const activations = norm === 'wanda' ? norms.get(one.weight.name) : undefined;
      parts.push(inUnitsOfMean(perChannel(one, magnitudes, activations, norm, group.channels.length)));
    }
    const score = new Float64Array(group.channels.length);
    for (const part of parts) {
      for (let at = 0; at < score.length; at++) score[at] = (score[at] as number) + (part[at] as number) / parts.length;
    }
    scores.push(score.every(Number.isFinite) ? score : undefined);
  }
  return scores;
}

/** The weights that count: float weights that read the channels, otherwise those that produce them. */
function counted(group: Group, norm: ChannelNorm, norms: ReadonlyMap<string, Float64Array>): readonly Occurrence[] {
  const floats = group.occurrences.filter((one) => isFloat(one.weight.held.tensor.dtype));
  const readers = floats.filter((one) => one.role === 'inputs');
  const measured = norm === 'wanda' ? readers.filter((one) => norms.has(one.weight.name)) : [];
  if (measured.length > 0) return measured;
  return readers.length > 0 ? readers : floats.filter((one) => one.role === 'outputs');
}

async function magnitudesOf({ weight, axis }: Occurrence, norm: ChannelNorm): Promise<Float64Array> {
  const { tensor } = weight.held;
  if (!isFloat(tensor.dtype)) throw new RangeError(`${weight.name} is ${tensor.dtype}`);
  const size = tensor.dims[axis] as number;
  const inner = elementCount(tensor.dims.slice(axis + 1));
  const sums = new Float64Array(size);
  // One for all pieces: a new one for each would be garbage of twice the weight's size.
  let room: Float32Array | undefined;
  let index = 0;
  for await (const { bytes, count } of runsOf(tensor, inner)) {
    const piece = { first: index % size, sums };
    if (isHalf(tensor.dtype)) room ??= new Float32Array(count * inner);
    axisMagnitudes(toFloat32(bytes, tensor.dtype, room), { size, inner }, norm === 'l2' ? 2 : 1, piece);
    index += count;
  }
  return sums;
}

/** The sums of the indices that make a channel. */
function perChannel(
  one: Occurrence,
  magnitudes: Float64Array,
  activations: Float64Array | undefined,
  norm: ChannelNorm,
  count: number,
): Float64Array {
  const sums = new Float64Array(count);
  one.of.forEach((channel, index) => {
    if (channel < 0) return;
    sums[channel] = (sums[channel] as number) + (magnitudes[index] as number) * (activations?.[index] ?? 1);
  });
  return norm === 'l2' ? sums.map(Math.sqrt) : sums;
}

function inUnitsOfMean(values: Float64Array): Float64Array {
  const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
  return mean === 0 ? values : values.map((one) => one / mean);
}

/** The norms that `wanda` needs: the norms of each weight's input, by weight. */
export async function measuredNorms(
  analysis: Analysis,
  groups: readonly Group[],
  source: ChannelActivations,
): Promise<Map<string, Float64Array>> {
  const wanted = new Set(groups.flatMap((group) => groupLayers(group).inputs));
  const requests = new Map<string, NormsRequest>();
  for (const { weight, reads } of analysis.products) {
    if (reads === undefined || !wanted.has(weight) || requests.has(weight)) continue;
    requests.set(weight, { what: 'norms', value: reads.value, axis: channelAxis(reads) });
  }
  const answers = await source.measure(analysis.model, [...requests.values()], { index: 0, count: 1 });
  const weights = [...requests.keys()];
  return new Map(answers.flatMap((norms, index) => (norms === undefined ? [] : [[weights[index] as string, norms]])));
}
