import { elementCount } from '../../../ir/dtype.ts';
import { floatAttribute, intAttribute } from '../../../ir/node.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import { DEFAULT_EPSILON } from '../../../layers/normalization.ts';
import { type Call, elementsOf, isReal, type Operators, type Planned } from '../call.ts';

type Floats = Float32Array | Float64Array;

/** BatchNormalization, summed in float64: ONNX Runtime's results may differ in the last bits. */
export const NORMALIZING: Operators = { BatchNormalization: batchNormalization };

/**
 * `(x − mean) / √(variance + ε) · scale + bias` for each channel of dim 1. In training mode, mean and variance are
 * those of x itself, which is how NFNets standardize a weight; the second and third output are the running mean and
 * variance.
 */
function batchNormalization({ node, opset, inputs }: Call): readonly Planned[] | undefined {
  const [x, scale, bias, mean, variance] = inputs;
  const trains = intAttribute(node, 'training_mode', 0) === 1;
  if (opset < (trains ? 14 : 9) || x === undefined || !isReal(x.dtype) || (!trains && node.outputs.length > 1))
    return undefined;
  const { dtype, dims } = x;
  const [batch = 0, channels = 0] = dims;
  const taps = elementCount(dims.slice(2));
  const parameters = [scale, bias, mean, variance];
  const fits = (one: Tensor | undefined): boolean =>
    one?.dtype === dtype && one.dims.length === 1 && one.dims[0] === channels;
  if (dims.length < 2 || batch * taps === 0 || !parameters.every(fits)) return undefined;
  const epsilon = floatAttribute(node, 'epsilon', DEFAULT_EPSILON);
  const momentum = floatAttribute(node, 'momentum', Math.fround(0.9));
  const reads = [x, ...(parameters as Tensor[])];
  const all = (loaded: readonly Uint8Array[]): readonly [Floats, Floats, Floats] => {
    const [values, factors, shifts, means, variances] = loaded.map((one) => elementsOf(one, dtype).slice() as Floats);
    const [y, gamma, beta] = [values, factors, shifts] as [Floats, Floats, Floats];
    const [oldMean, oldVariance] = [means, variances] as [Floats, Floats];
    for (let channel = 0; channel < channels; channel++) {
      const places = Array.from({ length: batch }, (_, at) => (at * channels + channel) * taps);
      const known = { average: oldMean[channel] as number, spread: oldVariance[channel] as number };
      const { average, spread } = trains ? moments(y, places, taps) : known;
      const factor = (gamma[channel] as number) / Math.sqrt(spread + epsilon);
      const shift = (beta[channel] as number) - average * factor;
      for (const start of places) {
        for (let at = start; at < start + taps; at++) y[at] = (y[at] as number) * factor + shift;
      }
      oldMean[channel] = (oldMean[channel] as number) * momentum + average * (1 - momentum);
      oldVariance[channel] = (oldVariance[channel] as number) * momentum + spread * (1 - momentum);
    }
    return [y, oldMean, oldVariance];
  };
  const planned = (index: 0 | 1 | 2): Planned => ({
    ...{ dtype, dims: index === 0 ? dims : [channels], reads, exact: false, sure: true },
    compute: (loaded) => all(loaded)[index],
  });
  return [planned(0), planned(1), planned(2)];
}

function moments(
  values: Floats,
  places: readonly number[],
  taps: number,
): { readonly average: number; readonly spread: number } {
  const sum = (term: (one: number) => number): number => {
    let total = 0;
    for (const start of places) for (let at = start; at < start + taps; at++) total += term(values[at] as number);
    return total / (places.length * taps);
  };
  const average = sum((one) => one);
  return { average, spread: sum((one) => (one - average) ** 2) };
}
