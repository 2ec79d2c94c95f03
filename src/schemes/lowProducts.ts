import { constant } from '../ir/tensor.ts';
import { blocksIn, type Multipliers, middleOf } from '../kernels/lowbits/codes.ts';
import { largestFactor } from '../kernels/lowbits/factors.ts';
import { blocksFirst, inputsFirst, packedIn, packZeros, plain } from '../kernels/lowbits/pack.ts';
import { packedAlong } from '../kernels/packed.ts';
import { codesScheme, type LowWeight, type Place, Tensors, type Written } from './lowTensors.ts';
import { nameFor } from './names.ts';
import type { NBitsWeight } from './nbits.ts';
import { packed } from './packed.ts';
import { type EncodedIntegers, integerScheme } from './scheme.ts';
import { Unpacking } from './unpack.ts';

/**
 * Writes a weight for an integer product: int8 `[inputs, outputs]`, computed when the model is loaded, and a scale per
 * output. A table that is the output layer too is `[outputs, inputs]` (`outFirst`). The matrices of a batch are
 * stacked, and get their own `dims` at the end.
 *
 * ```
 * codes uint8 [blocks, block/2, 1, outputs] ── BitShift ── Mod ── Cast ─┐
 * factors uint8 [blocks, 1, 1, outputs] ────── Cast ── Mul(16) ─────── Add ── Gather(products) ── Reshape ── int8
 * ```
 *
 * `products` holds `(code − middle) · factor` for every factor and code: one lookup takes less memory than int32
 * arithmetic.
 */
export async function writeMultipliers(
  low: LowWeight,
  { graph, anchor }: Place,
  outFirst: boolean,
  dims: readonly number[],
): Promise<Written<EncodedIntegers>> {
  const { shape, of } = low;
  const { outputs, inputs, bits, block } = shape;
  const blocks = blocksIn(shape);
  const tensors = new Tensors(low, graph);
  const bytes = (block * bits) / 8;
  const packedDims = outFirst ? [outputs, blocks, bytes, 1] : [blocks, bytes, 1, outputs];
  const data = await tensors.data('uint8', packedDims, (codes) => packedIn(codes, outFirst ? 'outputs' : 'inputs'));
  const bound = largestFactor(bits);
  const spread = outFirst ? [outputs, blocks, 1, 1] : [blocks, 1, 1, outputs];
  const factors = await tensors.add(graph.uniqueName(`${of}_factors`), 'uint8', spread, (codes) => {
    const { factors } = codes.multipliers as Multipliers;
    return raised(outFirst ? factors : blocksFirst(factors, outputs), bound);
  });
  const scaleName = nameFor(graph, of, 'scale');
  const scale = await tensors.add(scaleName, 'float32', [outputs], (codes) => (codes.multipliers as Multipliers).steps);
  const write = new Unpacking(graph, anchor, of);
  const count = 2 ** bits;
  const codes = write.cast(write.bits(data.name, bits, outFirst ? 0 : 1), 'int32');
  const width = write.shared(`codes_${bits}_int32`, (name) => constant(name, 'int32', [], Int32Array.of(count)));
  const rows = write.node('Mul', [write.cast(factors.name, 'int32'), width]);
  const table = write.shared(`products_${bits}`, (name) =>
    constant(name, 'int8', [(2 * bound + 1) * count], productsOf(bits, bound)),
  );
  const products = write.node('Gather', [table, write.node('Add', [codes, rows])]);
  const row = blocks * block;
  const storedDims = batchedDims(dims) ?? (outFirst ? [outputs, inputs] : [inputs, outputs]);
  const whole = row === inputs ? storedDims : outFirst ? [outputs, row] : [row, outputs];
  const all = write.reshape(products, whole);
  const cut = row === inputs ? all : write.first(all, inputs, outFirst ? 1 : 0);
  const integers = row === inputs || storedDims.length === 2 ? cut : write.reshape(cut, storedDims);
  const scheme = integerScheme('int8', { kind: 'channel', axis: outFirst ? 0 : storedDims.length - 1 });
  const decoded = { ...data, name: integers, dtype: 'int8' as const, dims: storedDims };
  return { weight: { scheme, data: decoded, scale }, added: tensors.added };
}

/** The dims of a weight that is a batch of matrices; undefined for a single matrix. */
function batchedDims(dims: readonly number[]): readonly number[] | undefined {
  return dims.length > 2 ? dims : undefined;
}

/** Factors shifted to start at 0. A loop, because `from` with a function takes ten times as long. */
function raised(factors: Int8Array, by: number): Uint8Array {
  const out = new Uint8Array(factors.length);
  for (let at = 0; at < out.length; at++) out[at] = (factors[at] as number) + by;
  return out;
}

/** `(code − middle) · factor` for each factor from −bound to bound, and each code. */
function productsOf(bits: number, bound: number): Int8Array {
  const count = 2 ** bits;
  const middle = middleOf(bits);
  return Int8Array.from(
    { length: (2 * bound + 1) * count },
    (_, at) => ((at % count) - middle) * (Math.floor(at / count) - bound),
  );
}

/** Writes a weight for `com.microsoft.MatMulNBits`. */
export async function writeNBits(low: LowWeight, { graph, anchor }: Place): Promise<Written<NBitsWeight>> {
  const { shape, of } = low;
  const { outputs, inputs, bits, block, symmetric } = shape;
  const blocks = blocksIn(shape);
  const tensors = new Tensors(low, graph);
  const data = await tensors.data('uint8', [outputs, blocks, (block * bits) / 8], (codes) =>
    packedIn(codes, 'outputs'),
  );
  const [scale, scales] = await tensors.scales([outputs, blocks], anchor, (codes) => codes.scales);
  const zeroPoint = symmetric
    ? undefined
    : await tensors.add(nameFor(graph, of, 'zeroPoint'), 'uint8', [outputs, Math.ceil((blocks * bits) / 8)], (codes) =>
        packZeros(codes.zeros as Uint8Array, outputs, bits),
      );
  const scheme = codesScheme(shape);
  return {
    weight: { scheme, data, scale, zeroPoint, bits, block, inputs, outputs, scales },
    added: tensors.added,
  };
}

/** Writes a weight for `DequantizeLinear` with blocks, as in opset 21: integers `[inputs, outputs]`. */
export async function writeStandard(low: LowWeight, { graph, anchor }: Place): Promise<Written<EncodedIntegers>> {
  const { shape, of } = low;
  const { outputs, inputs, bits, symmetric } = shape;
  const blocks = blocksIn(shape);
  const scheme = codesScheme(shape, 0);
  const { dtype } = scheme;
  const tensors = new Tensors(low, graph);
  const flip = symmetric ? middleOf(bits) : 0;
  const data = await tensors.data(dtype, [inputs, outputs], (codes) =>
    packedAlong(packedIn(codes, 'inputs'), bits, inputs, outputs, flip),
  );
  const [scale, scales] = await tensors.scales([blocks, outputs], anchor, (codes) =>
    blocksFirst(codes.scales, outputs),
  );
  const zeroPoint = symmetric
    ? undefined
    : await tensors.add(nameFor(graph, of, 'zeroPoint'), dtype, [blocks, outputs], (codes) =>
        packed(blocksFirst(codes.zeros as Uint8Array, outputs), dtype),
      );
  const weight = {
    scheme,
    data,
    scale: { ...scale, name: scales },
    zeroPoint,
  };
  return { weight, added: tensors.added };
}

/** Writes a weight for int8 products: int8 `[inputs, outputs]`, or `dims` with batches, and a scale per output. */
export async function writeInt8(
  low: LowWeight,
  { graph }: Place,
  dims: readonly number[],
): Promise<Written<EncodedIntegers>> {
  const { shape, of } = low;
  const { outputs, inputs, bits } = shape;
  const tensors = new Tensors(low, graph);
  const storedDims = batchedDims(dims) ?? [inputs, outputs];
  const data = await tensors.data('int8', storedDims, (codes) => inputsFirst(plain(codes), middleOf(bits)));
  const scale = await tensors.add(nameFor(graph, of, 'scale'), 'float32', [outputs], (codes) => codes.scales);
  const scheme = integerScheme('int8', { kind: 'channel', axis: storedDims.length - 1 });
  return { weight: { scheme, data, scale }, added: tensors.added };
}
