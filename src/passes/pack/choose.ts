import { elementCount } from '../../ir/dtype.ts';
import { gatheredTypes, sparseTypes } from '../../targets/kernels.ts';
import { foldedBytes } from '../../targets/rewrites.ts';
import { type Counted, count, sizeOf } from './elements.ts';
import { maskBytes, tensorBytes } from './form.ts';
import type { Store } from './options.ts';
import type { Packable } from './weights.ts';

/** A way to store one weight that is smaller than dense, and the bytes of the file it takes. */
export interface Choice {
  readonly form: 'bitmask' | 'sparse';
  readonly counted: Counted;
  readonly byteLength: number;
  readonly dense: number;
}

/** Why a weight stays dense. */
export interface Refusal {
  readonly reason: 'no_gain' | 'too_large';
  readonly detail: string;
}

/** Chooses for one weight. It is read once, 8-bit weights twice if the two ways omit different elements. */
export async function choose({ held, name }: Packable, store: Store): Promise<Choice | Refusal> {
  const { tensor } = held;
  const { dims } = tensor;
  const size = sizeOf(tensor.dtype) ?? 1;
  const elements = elementCount(dims);
  if (elements * Math.max(size, 4) > foldedBytes.value) {
    return { reason: 'too_large', detail: `it has ${elements} elements, so ONNX Runtime would unpack it at every run` };
  }
  const dense = tensorBytes(name, dims, tensor.byteLength);
  const choices: Choice[] = [];
  if (store !== 'sparse' && gatheredTypes.value.includes(tensor.dtype)) {
    const counted = await count(tensor, size, true);
    choices.push({ form: 'bitmask', counted, byteLength: maskBytes(name, dims, counted.kept, size), dense });
  }
  if (store !== 'bitmask' && sparseTypes.value.includes(tensor.dtype)) {
    const counted = await count(tensor, size, false);
    choices.push({ form: 'sparse', counted, byteLength: sparseBytes(name, dims, counted), dense });
  }
  const [best] = choices.sort((a, b) => a.byteLength - b.byteLength);
  if (best === undefined) return { reason: 'no_gain', detail: `ONNX Runtime does not accept ${store} ${tensor.dtype}` };
  if (best.byteLength < dense) return best;
  const kept = `${best.counted.kept} of its ${elements} elements are kept`;
  return { reason: 'no_gain', detail: `${kept}: it would take ${best.byteLength} bytes instead of ${dense}` };
}

function sparseBytes(name: string, dims: readonly number[], { kept, size }: Counted): number {
  return tensorBytes(name, [kept], kept * size) + tensorBytes('', [kept], kept * 8) + 2 * dims.length + 8;
}
