import { attribute, createNode, type Node } from '../ir/node.ts';
import type { Tensor } from '../ir/tensor.ts';
import type { Losses } from '../kernels/loss.ts';
import type { Encoded, IntegerScheme } from './scheme.ts';

/** The domain of ONNX Runtime's own operators, and the version that has MatMulNBits. */
export const CONTRIB = { domain: 'com.microsoft', version: 1 } as const;

/**
 * A weight as `com.microsoft.MatMulNBits` reads it: `data` uint8 `[outputs, blocks, block · bits / 8]`, `scale`
 * `[outputs, blocks]`, zero points with as many bits as the codes.
 */
export interface NBitsWeight extends Encoded {
  readonly scheme: IntegerScheme;
  readonly scale: Tensor;
  readonly bits: number;
  readonly block: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Name of the scales as float32: for float16 scales, the output of a Cast. */
  readonly scales: string;
  readonly losses?: Losses;
}

export function isNBits(weight: Encoded): weight is NBitsWeight {
  return 'bits' in weight;
}

/**
 * `output = MatMulNBits(x, W)` to replace `node`. The kernel quantizes activations to int8, block by block.
 * @see https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits
 */
export function nbitsNode({ name, extra }: Node, x: string, weight: NBitsWeight, output: string): Node {
  const { data, scales, zeroPoint, bits, block, inputs, outputs } = weight;
  return createNode({
    ...{ name, opType: 'MatMulNBits', domain: CONTRIB.domain, outputs: [output] },
    inputs: [x, data.name, scales, ...(zeroPoint === undefined ? [] : [zeroPoint.name])],
    attributes: [
      attribute.int('K', inputs),
      attribute.int('N', outputs),
      attribute.int('bits', bits),
      attribute.int('block_size', block),
      attribute.int('accuracy_level', 4),
    ],
    ...(extra && { extra }),
  });
}
