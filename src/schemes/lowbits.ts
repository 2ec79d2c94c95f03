import { type DType, elementCount } from '../ir/dtype.ts';
import type { Graph } from '../ir/graph.ts';
import type { Node } from '../ir/node.ts';
import { constant, derived, type Tensor } from '../ir/tensor.ts';
import type { Losses } from '../kernels/loss.ts';
import { type BlockForm, blocksIn, type Codes, type MatrixShape, middleOf } from '../kernels/lowbits/codes.ts';
import { largestFactor } from '../kernels/lowbits/factors.ts';
import { blocksFirst, inputsFirst, packCodes, packZeros } from '../kernels/lowbits/pack.ts';
import { fromFloat32 } from '../kernels/rounded.ts';
import { nameFor } from './names.ts';
import type { NBitsWeight } from './nbits.ts';
import { packed } from './packed.ts';
import { type EncodedIntegers, type Granularity, integerScheme, type StoredInteger } from './scheme.ts';
import { Unpacking } from './unpack.ts';
import { castNode } from './write.ts';

/** A weight in few bits that is to stand in a graph. */
export interface LowWeight {
  /** The float weight, and what it is called. */
  readonly tensor: Tensor;
  readonly of: string;
  /** How it is stored, and as which matrix. */
  readonly shape: BlockForm & MatrixShape;
  /** The codes; absent for a plan, whose tensors are all zeros. */
  readonly codes: Codes | undefined;
  readonly losses?: Losses;
  /** Puts bytes aside; they stay in memory where absent. */
  readonly keep?: ((bytes: Uint8Array) => Promise<() => Promise<Uint8Array>>) | undefined;
}

/** Where the nodes go that make a weight of its tensors. */
export interface Place {
  readonly graph: Graph;
  /** They are put before it. */
  readonly anchor: Node;
}

/** What stands in the graph now, and how many bytes of tensors it took. */
export interface Written<W> {
  readonly weight: W;
  readonly added: number;
}

/** The tensors of one weight, put into its graph as they are made. */
class Tensors {
  added = 0;
  readonly #low: LowWeight;
  readonly #graph: Graph;

  constructor(low: LowWeight, graph: Graph) {
    this.#low = low;
    this.#graph = graph;
  }

  async add(
    name: string,
    dtype: DType,
    dims: readonly number[],
    make: (codes: Codes) => ArrayBufferView,
  ): Promise<Tensor> {
    const { codes, keep } = this.#low;
    const tensor = codes === undefined ? blank(name, dtype, dims) : constant(name, dtype, dims, make(codes));
    const load = codes === undefined ? undefined : await keep?.(await tensor.load());
    const kept = load === undefined ? tensor : derived(name, dtype, dims, load);
    this.#graph.setInitializer(kept);
    this.added += kept.byteLength;
    return kept;
  }

  /** The tensor of the codes, which stands for the float weight. */
  async data(dtype: DType, dims: readonly number[], make: (codes: Codes) => ArrayBufferView): Promise<Tensor> {
    const { tensor, of } = this.#low;
    const data = await this.add(nameFor(this.#graph, of, 'data'), dtype, dims, make);
    const from = { ...data, from: { tensor, name: of } };
    this.#graph.setInitializer(from);
    return from;
  }

  /** Scales, of float16 where the form says so: then a Cast makes them float32. */
  async scales(dims: readonly number[], anchor: Node, make: (codes: Codes) => Float32Array): Promise<[Tensor, string]> {
    const dtype = this.#low.shape.half ? 'float16' : 'float32';
    const name = nameFor(this.#graph, this.#low.of, 'scale');
    const scale = await this.add(name, dtype, dims, (codes) => fromFloat32(make(codes), dtype));
    if (dtype === 'float32') return [scale, name];
    const real = this.#graph.uniqueName(`${name}_cast`);
    this.#graph.insertBefore(anchor, castNode(this.#graph, name, real, 'float32'));
    return [scale, real];
  }
}

function blank(name: string, dtype: DType, dims: readonly number[]): Tensor {
  const tensor: Tensor = derived(name, dtype, dims, async () => new Uint8Array(tensor.byteLength));
  return tensor;
}

/** The type of codes, for people and for tensors that hold them one by one. */
function dtypeOf({ bits, symmetric }: BlockForm): StoredInteger {
  return `${symmetric ? 'int' : 'uint'}${bits}` as StoredInteger;
}

/**
 * For a product on integers: int8 `[inputs, outputs]` computed when the model is loaded, and a scale for each output.
 *
 * ```
 * codes uint8 [blocks, block/2, 1, outputs] ── BitShift ── Mod ── Cast ─┐
 * factors uint8 [blocks, 1, 1, outputs] ────── Cast ── Mul(16) ─────── Add ── Gather(products) ── Reshape ── int8
 * ```
 *
 * `products` holds `(code − middle) · factor` for every factor and code: one look-up takes less memory than arithmetic
 * in int32.
 */
export async function writeMultipliers(low: LowWeight, { graph, anchor }: Place): Promise<Written<EncodedIntegers>> {
  const { shape, of } = low;
  const { outputs, inputs, bits, block } = shape;
  const blocks = blocksIn(shape);
  const tensors = new Tensors(low, graph);
  const data = await tensors.data('uint8', [blocks, (block * bits) / 8, 1, outputs], (codes) =>
    packCodes(codes, 'inputs'),
  );
  const bound = largestFactor(bits);
  const factors = await tensors.add(graph.uniqueName(`${of}_factors`), 'uint8', [blocks, 1, 1, outputs], (codes) =>
    Uint8Array.from(
      blocksFirst((codes.multipliers as NonNullable<Codes['multipliers']>).factors, outputs),
      (one) => one + bound,
    ),
  );
  const scaleName = nameFor(graph, of, 'scale');
  const scale = await tensors.add(
    scaleName,
    'float32',
    [outputs],
    (codes) => (codes.multipliers as NonNullable<Codes['multipliers']>).steps,
  );
  const write = new Unpacking(graph, anchor, of);
  const count = 2 ** bits;
  const codes = write.cast(write.bits(data.name, bits, 1), 'int32');
  const width = write.shared(`codes_${bits}_int32`, (name) => constant(name, 'int32', [], Int32Array.of(count)));
  const rows = write.node('Mul', [write.cast(factors.name, 'int32'), width]);
  const table = write.shared(`products_${bits}`, (name) =>
    constant(name, 'int8', [(2 * bound + 1) * count], productsOf(bits, bound)),
  );
  const products = write.node('Gather', [table, write.node('Add', [codes, rows])]);
  const all = write.reshape(products, [blocks * block, outputs]);
  const integers = blocks * block === inputs ? all : write.first(all, inputs, 0);
  const scheme = integerScheme('int8', { kind: 'channel', axis: 1 });
  const decoded = { ...data, name: integers, dtype: 'int8' as const, dims: [inputs, outputs] };
  const losses = low.losses === undefined ? {} : { losses: low.losses };
  return { weight: { scheme, data: decoded, scale, ...losses }, added: tensors.added };
}

/** `(code − middle) · factor` for each factor from −bound on, and each code. */
function productsOf(bits: number, bound: number): Int8Array {
  const count = 2 ** bits;
  const middle = middleOf(bits);
  return Int8Array.from(
    { length: (2 * bound + 1) * count },
    (_, at) => ((at % count) - middle) * (Math.floor(at / count) - bound),
  );
}

/** For `com.microsoft.MatMulNBits`. */
export async function writeNBits(low: LowWeight, { graph, anchor }: Place): Promise<Written<NBitsWeight>> {
  const { shape, of } = low;
  const { outputs, inputs, bits, block, symmetric } = shape;
  const blocks = blocksIn(shape);
  const tensors = new Tensors(low, graph);
  const data = await tensors.data('uint8', [outputs, blocks, (block * bits) / 8], (codes) =>
    packCodes(codes, 'outputs'),
  );
  const [scale, scales] = await tensors.scales([outputs, blocks], anchor, (codes) => codes.scales);
  const zeroPoint = symmetric
    ? undefined
    : await tensors.add(nameFor(graph, of, 'zeroPoint'), 'uint8', [outputs, Math.ceil((blocks * bits) / 8)], (codes) =>
        packZeros(codes.zeros as Uint8Array, outputs, bits),
      );
  const scheme = integerScheme(dtypeOf(shape), { kind: 'block', axis: 1, size: block });
  const losses = low.losses === undefined ? {} : { losses: low.losses };
  return {
    weight: { scheme, data, scale, zeroPoint, bits, block, inputs, outputs, scales, ...losses },
    added: tensors.added,
  };
}

/** For `DequantizeLinear` with blocks, of opset 21: integers `[inputs, outputs]`. */
export async function writeStandard(low: LowWeight, { graph, anchor }: Place): Promise<Written<EncodedIntegers>> {
  const { shape, of } = low;
  const { outputs, inputs, bits, block, symmetric } = shape;
  const blocks = blocksIn(shape);
  const dtype = dtypeOf(shape);
  const tensors = new Tensors(low, graph);
  const zero = symmetric ? middleOf(bits) : 0;
  const data = await tensors.data(dtype, [inputs, outputs], (codes) => packed(inputsFirst(codes, zero), dtype));
  const [scale, scales] = await tensors.scales([blocks, outputs], anchor, (codes) =>
    blocksFirst(codes.scales, outputs),
  );
  const zeroPoint = symmetric
    ? undefined
    : await tensors.add(nameFor(graph, of, 'zeroPoint'), dtype, [blocks, outputs], (codes) =>
        packed(blocksFirst(codes.zeros as Uint8Array, outputs), dtype),
      );
  const granularity: Granularity = { kind: 'block', axis: 0, size: block };
  const losses = low.losses === undefined ? {} : { losses: low.losses };
  const weight = {
    scheme: integerScheme(dtype, granularity),
    data,
    scale: { ...scale, name: scales },
    zeroPoint,
    ...losses,
  };
  return { weight, added: tensors.added };
}

/** For products on int8: integers `[inputs, outputs]` of 8 bits, a scale for each output. */
export async function writeInt8(low: LowWeight, { graph }: Place): Promise<Written<EncodedIntegers>> {
  const { shape, of } = low;
  const { outputs, inputs, bits } = shape;
  const tensors = new Tensors(low, graph);
  const data = await tensors.data('int8', [inputs, outputs], (codes) => inputsFirst(codes, middleOf(bits)));
  const scale = await tensors.add(nameFor(graph, of, 'scale'), 'float32', [outputs], (codes) => codes.scales);
  const losses = low.losses === undefined ? {} : { losses: low.losses };
  const scheme = integerScheme('int8', { kind: 'channel', axis: 1 });
  return { weight: { scheme, data, scale, ...losses }, added: tensors.added };
}

/** How a weight that is made float lies in its tensor. */
export interface Lying {
  readonly dims: readonly number[];
  readonly dtype: DType;
  /** Whether the outputs come first, before all inputs. */
  readonly outFirst: boolean;
}

/**
 * A weight that is made float when the model is loaded, by operators of opset 11.
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
    packCodes(codes, outFirst ? 'outputs' : 'inputs'),
  );
  const spread = outFirst ? [outputs, blocks, 1] : [blocks, 1, outputs];
  const turned = <T extends Float32Array | Uint8Array>(of: T): T => (outFirst ? of : blocksFirst(of, outputs));
  const [, scales] = await tensors.scales(spread, anchor, (codes) => turned(codes.scales));
  const write = new Unpacking(graph, anchor, of);
  const middle = write.shared(`middle_${bits}`, (name) =>
    constant(name, 'float32', [], Float32Array.of(middleOf(bits))),
  );
  const zero = symmetric
    ? middle
    : write.cast(
        (
          await tensors.add(nameFor(graph, of, 'zeroPoint'), 'uint8', spread, (codes) =>
            turned(codes.zeros as Uint8Array),
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
  if (elementCount(lying.dims) !== outputs * inputs) throw new RangeError(`${of} is no ${outputs} by ${inputs}`);
  if (lying.dtype !== 'float32') value = write.cast(value, lying.dtype as 'float32');
  return { weight: value, added: tensors.added };
}

/** A table in few bits: the codes of a row `[blocks, block · bits / 8, 1]`, and its scales `[blocks, 1, 1]`. */
export interface LowTable {
  readonly data: Tensor;
  readonly scale: Tensor;
  readonly shape: BlockForm & MatrixShape;
}

/** For `Gather`, whose rows {@link tableRows} makes real. */
export async function writeTable(low: LowWeight, { graph }: Place): Promise<Written<LowTable>> {
  const { shape, of } = low;
  const { outputs, bits, block, half } = shape;
  const blocks = blocksIn(shape);
  const tensors = new Tensors(low, graph);
  const data = await tensors.data('uint8', [outputs, blocks, (block * bits) / 8, 1], (codes) =>
    packCodes(codes, 'outputs'),
  );
  const dtype = half ? 'float16' : 'float32';
  const scale = await tensors.add(nameFor(graph, of, 'scale'), dtype, [outputs, blocks, 1, 1], (codes) =>
    fromFloat32(codes.scales, dtype),
  );
  return { weight: { data, scale, shape }, added: tensors.added };
}

/**
 * The rows of a table that ids of some rank ask for, put before `anchor`:
 * `Gather(codes) ── BitShift ── Mod ── Cast ── Sub(middle) ── Mul(Gather(scales)) ── Reshape`.
 * @param output - name of the rows, in the type `dtype`
 * @returns the node that gives them, for the caller to place
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
  const codes = write.cast(write.bits(write.node('Gather', [data.name, ids.name]), bits, 0), 'float32');
  const found = write.node('Gather', [scale.name, ids.name]);
  const scales = scale.dtype === 'float32' ? found : write.cast(found, 'float32');
  const product = write.node('Mul', [write.node('Sub', [codes, middle]), scales]);
  const whole = blocksIn(shape) * block;
  const rows = write.reshape(product, [...Array<number>(ids.rank).fill(0), whole]);
  return castNode(graph, whole === inputs ? rows : write.first(rows, inputs, ids.rank), output, dtype);
}
