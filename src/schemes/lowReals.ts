import { type DType, elementCount } from '../ir/dtype.ts';
import type { Node } from '../ir/node.ts';
import { constant, type Tensor } from '../ir/tensor.ts';
import { type BlockForm, blocksIn, type MatrixShape, middleOf } from '../kernels/lowbits/codes.ts';
import { blocksFirst, packedIn } from '../kernels/lowbits/pack.ts';
import { type LowWeight, type Place, scalesIn, Tensors, type Written } from './lowTensors.ts';
import { nameFor } from './names.ts';
import { Unpacking } from './unpack.ts';
import { castNode } from './write.ts';

/** The layout of a weight that is decoded to float. */
export interface Lying {
  readonly dims: readonly number[];
  readonly dtype: DType;
  /** Whether the output axis comes before all input axes. */
  readonly outFirst: boolean;
}

/**
 * Writes a weight that operators of opset 11 decode to float when the model is loaded.
 * @returns the name of the value
 */
export async function writeFolded(low: LowWeight, { graph, anchor }: Place, lying: Lying): Promise<Written<string>> {
  const { shape, of } = low;
  const { outputs, inputs, bits, block, symmetric } = shape;
  const blocks = blocksIn(shape);
  const tensors = new Tensors(low, graph);
  const { outFirst } = lying;
  const bytes = (block * bits) / 8;
  const dims = outFirst ? [outputs * blocks, bytes, 1] : [blocks, bytes, 1, outputs];
  const data = await tensors.data('uint8', bits === 8 ? dims.filter((_, at) => at !== 2) : dims, (codes) =>
    packedIn(codes, outFirst ? 'outputs' : 'inputs'),
  );
  const spread = outFirst ? [outputs, blocks, 1] : [blocks, 1, outputs];
  const ordered = <T extends Float32Array | Uint8Array>(of: T): T => (outFirst ? of : blocksFirst(of, outputs));
  const [, scales] = await tensors.scales(spread, anchor, (codes) => ordered(codes.scales));
  const write = new Unpacking(graph, anchor, of);
  const middle = write.shared(`middle_${bits}`, (name) =>
    constant(name, 'float32', [], Float32Array.of(middleOf(bits))),
  );
  const zero = symmetric
    ? middle
    : write.cast(
        (
          await tensors.add(nameFor(graph, of, 'zeroPoint'), 'uint8', spread, (codes) =>
            ordered(codes.zeros as Uint8Array),
          )
        ).name,
        'float32',
      );
  const real = write.cast(write.bits(data.name, bits, outFirst ? 0 : 1), 'float32');
  const inBlocks = write.reshape(real, outFirst ? [outputs, blocks, block] : [blocks, block, outputs]);
  const product = write.node('Mul', [write.node('Sub', [inBlocks, zero]), scales]);
  let value = product;
  if (blocks * block !== inputs) {
    const whole = write.reshape(product, outFirst ? [outputs, blocks * block] : [blocks * block, outputs]);
    value = write.first(whole, inputs, outFirst ? 1 : 0);
  }
  const there = value === product ? [] : outFirst ? [outputs, inputs] : [inputs, outputs];
  if (there.join() !== lying.dims.join()) value = write.reshape(value, lying.dims);
  if (elementCount(lying.dims) !== outputs * inputs) throw new RangeError(`${of} is not ${outputs} by ${inputs}`);
  if (lying.dtype !== 'float32') value = write.cast(value, lying.dtype as 'float32');
  return { weight: value, added: tensors.added };
}

/**
 * A low-bit table: each row has codes `[blocks, block · bits / 8, 1]` and scales `[blocks, 1, 1]`. The dims of 1 are
 * absent if a MatMulNBits reads the table too.
 */
export interface LowTable {
  readonly data: Tensor;
  readonly scale: Tensor;
  readonly shape: BlockForm & MatrixShape;
}

/** Writes a table for a `Gather`, whose rows {@link tableRows} decodes. */
export async function writeTable(low: LowWeight, { graph }: Place): Promise<Written<LowTable>> {
  const { shape, of } = low;
  const { outputs, bits, block, half } = shape;
  const blocks = blocksIn(shape);
  const tensors = new Tensors(low, graph);
  const data = await tensors.data('uint8', [outputs, blocks, (block * bits) / 8, 1], (codes) =>
    packedIn(codes, 'outputs'),
  );
  const dtype = half ? 'float16' : 'float32';
  const scale = await tensors.add(nameFor(graph, of, 'scale'), dtype, [outputs, blocks, 1, 1], (codes) =>
    scalesIn(dtype, codes.scales),
  );
  return { weight: { data, scale, shape }, added: tensors.added };
}

/**
 * Looks up and decodes the rows of a table, with nodes before `anchor`:
 * `Gather(codes) ── BitShift ── Mod ── Cast ── Sub(middle) ── Mul(Gather(scales)) ── Reshape`.
 * @param output - name of the rows, in the type `dtype`
 * @returns the last node, for the caller to place
 */
export function tableRows(
  { graph, anchor }: Place,
  { data, scale, shape }: LowTable,
  ids: { readonly name: string; readonly rank: number },
  dtype: DType,
  output: string,
): Node {
  const { inputs, bits, block } = shape;
  const write = new Unpacking(graph, anchor, output);
  const middle = write.shared(`middle_${bits}`, (name) =>
    constant(name, 'float32', [], Float32Array.of(middleOf(bits))),
  );
  const blocks = blocksIn(shape);
  const lead = Array<number>(ids.rank).fill(0);
  const rowsOf = (of: Tensor, dims: readonly number[]): string => {
    const found = write.node('Gather', [of.name, ids.name]);
    return of.dims.length > dims.length ? found : write.reshape(found, [...lead, ...dims]);
  };
  const packed = rowsOf(data, [blocks, (block * bits) / 8, 1]);
  const codes = write.cast(write.bits(packed, bits, 0), 'float32');
  const found = rowsOf(scale, [blocks, 1, 1]);
  const scales = scale.dtype === 'float32' ? found : write.cast(found, 'float32');
  const product = write.node('Mul', [write.node('Sub', [codes, middle]), scales]);
  const whole = blocks * block;
  const rows = write.reshape(product, [...lead, whole]);
  return castNode(graph, whole === inputs ? rows : write.first(rows, inputs, ids.rank), output, dtype);
}
