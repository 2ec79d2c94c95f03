import { constant, type Tensor } from '../../../ir/tensor.ts';
import type { LinearParams } from '../../../kernels/linear.ts';
import { floats } from '../../../kernels/views.ts';

/** Largest int32 magnitude of a bias: sums of products are added to it. */
const BIAS_LIMIT = 2 ** 30;

/** A bias as int32 with its scale. */
export interface QuantizedBias {
  readonly data: Tensor;
  readonly scale: Tensor;
}

/**
 * The bias as multiples of the product's scale, as integer kernels add it: `q = round(b / (x_scale · w_scale))`, per
 * channel. Where q would not fit, the scale of the weight's channel is raised in `params` until it does.
 *
 * @param bias - float32 `[N]`
 * @param params - of the weight, per channel or one for all; changed in place
 * @param names - of the two tensors, unused in the model
 * @returns undefined if the bias is not finite
 */
export async function quantizeBias(
  bias: Tensor,
  xScale: number,
  params: LinearParams,
  names: { readonly data: string; readonly scale: string },
): Promise<QuantizedBias | undefined> {
  const values = floats(await bias.load());
  if (!values.every(Number.isFinite)) return undefined;
  const channelOf = (index: number): number => (params.scale.length === 1 ? 0 : index);
  values.forEach((value, index) => {
    const channel = channelOf(index);
    const least = Math.abs(value) / (BIAS_LIMIT * xScale);
    if ((params.scale[channel] as number) < least) params.scale[channel] = Math.fround(least);
  });
  // Rounded to float32, see `biasScale` in src/targets.
  const scale = params.scale.map((one) => Math.fround(one * xScale));
  const data = Int32Array.from(values, (value, index) => Math.round(value / (scale[channelOf(index)] as number)));
  const dims = params.scale.length === 1 ? [] : [values.length];
  return {
    data: constant(names.data, 'int32', bias.dims, data),
    scale: constant(names.scale, 'float32', dims, scale),
  };
}
