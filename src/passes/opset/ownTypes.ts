import type { Node } from '../../ir/node.ts';
import { contribLike } from '../../targets/kernels.ts';

/**
 * Which input gives the element type of the first output of ONNX Runtime's own operators, as in `OUTPUT_DTYPES`: a
 * scale may have another type than x.
 */
export const OWN_DTYPES: Readonly<Record<string, number>> = {
  LayerNormalization: 1,
  MemcpyFromHost: 0,
  MemcpyToHost: 0,
  SimplifiedLayerNormalization: 1,
};

/** Whether the first output of a node of ONNX Runtime's own domain has the element type of the first input. */
export function isFused({ domain, opType }: Node): boolean {
  return domain === 'com.microsoft' && contribLike.value.includes(opType);
}
