import type { Tensor } from 'onnxruntime-node';
import { fromHalf } from './half.ts';

/** Elements of an output as numbers; float16 outputs are bit patterns. */
export function numbers(tensor: Tensor): Float64Array {
  if (tensor.type === 'float16') return Float64Array.from(tensor.data as unknown as Uint16Array, fromHalf);
  return Float64Array.from(tensor.data as Float32Array, Number);
}

/** Signal-to-quantization-noise ratio in dB over all outputs: `10 · log10(Σ reference² / Σ (reference − other)²)`. */
export function sqnr(reference: Readonly<Record<string, Tensor>>, other: Readonly<Record<string, Tensor>>): number {
  let signal = 0;
  let noise = 0;
  for (const [name, tensor] of Object.entries(reference)) {
    const found = other[name];
    if (found === undefined || found.dims.join() !== tensor.dims.join()) {
      throw new Error(`${name}: [${found?.dims}] instead of [${tensor.dims}]`);
    }
    const [real, seen] = [numbers(tensor), numbers(found)];
    real.forEach((value, index) => {
      signal += value ** 2;
      noise += (value - (seen[index] ?? Number.NaN)) ** 2;
    });
  }
  return noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(signal / noise);
}
