/** Every context of a linear layer, as small models: the fusion cross product. */
import { Tensor } from 'onnxruntime-node';
import type { QuantizeOptions } from '../../src/index.node.ts';
import { elementCount } from '../../src/ir/dtype.ts';
import {
  type AttributeSpec,
  f32,
  type GraphSpec,
  type ModelSpec,
  type NodeSpec,
  type TensorSpec,
  value,
} from './build.ts';
import { toHalf } from './half.ts';
import { feed } from './ort.ts';
import { randomFloats, seeded } from './random.ts';

/** The axes of a case, which has one value of each. */
export const AXES = {
  op: ['MatMul', 'Gemm', 'Gemm transB', 'Gemm transA', 'Gemm alpha beta'],
  rank: ['2', '3', '4', 'unknown'],
  added: ['none', '[N]', '[1,N]', '[1,1,N]', '[]', '[M,1]', 'residual'],
  follower: ['none', 'Relu', 'Sigmoid', 'Clip', 'Add Relu', 'Softmax', 'several'],
  weight: ['initializer', 'Constant', 'graph input', 'shared', 'tied', 'captured', 'in body'],
  form: ['dynamic', 'weights-only', 'qoperator'],
  dtype: ['int8', 'uint8'],
  scale: ['per channel', 'per tensor'],
  float: ['float32', 'float16'],
  opset: ['11', '13', '17', '21'],
  size: ['8x8', '16x1', '33x5', '64x32', '8x64'],
} as const;

type Axes = typeof AXES;
export type Case = { readonly [Axis in keyof Axes]: Axes[Axis][number] };

const ROWS = 4;

/** A case ready to run. */
export interface Prepared {
  readonly spec: ModelSpec;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly options: QuantizeOptions;
  /** The number of matrix products with a constant weight. */
  readonly products: number;
}

/** Whether such a model exists: a Gemm has rank 2, and adds `C` itself. */
export function exists({ op, rank, added }: Case): boolean {
  if (op === 'MatMul') return true;
  return (rank === '2' || rank === 'unknown') && added !== '[1,1,N]';
}

/** Builds the model of a case: the tested layer, its follower, and a MatMul after them. */
export function prepare(one: Case, seed: number): Prepared {
  const [inner, outer] = one.size.split('x').map(Number) as [number, number];
  const gemm = one.op !== 'MatMul';
  const half = one.float === 'float16';
  const lead = one.rank === '3' ? [2, ROWS] : one.rank === '4' ? [2, 2, ROWS] : [ROWS];
  const transA = one.op === 'Gemm transA';
  const xDims = transA ? [inner, ROWS] : [...lead, inner];
  const outLead = one.added === '[1,1,N]' && lead.length === 1 ? [1, ...lead] : lead;
  const yDims = [...outLead, outer];
  const float = half ? 'float16' : 'float32';
  const random = (dims: readonly number[], offset: number): TensorSpec => {
    const data = randomFloats(dims, seed * 31 + offset, -0.9, 1);
    return half ? { dtype: 'float16', dims, data: Uint16Array.from(data, toHalf) } : f32(dims, data);
  };
  const declared = (dims: readonly number[]) => (one.rank === 'unknown' ? value(float) : value(float, dims));
  const feedOf = (dims: readonly number[], offset: number): Tensor => {
    const { data } = random(dims, offset);
    return half ? new Tensor('float16', data as Uint16Array, dims) : feed(dims, data as Float32Array);
  };

  const transB = one.op === 'Gemm transB' || (gemm && one.weight === 'tied');
  const flipped = transB || one.weight === 'tied';
  const w = random(flipped ? [outer, inner] : [inner, outer], 1);
  const initializers: Record<string, TensorSpec> = { last: random([outer, 6], 2) };
  const inputs: Record<string, ReturnType<typeof value>> = { x: declared(xDims) };
  const feeds: Record<string, Tensor> = { x: feedOf(xDims, 3) };
  const nodes: NodeSpec[] = [];
  const addedDims: Record<string, number[]> = {
    '[N]': [outer],
    '[1,N]': [1, outer],
    '[1,1,N]': [1, 1, outer],
    '[]': [],
    '[M,1]': [ROWS, 1],
  };
  if (one.added === 'residual') {
    inputs['b'] = declared(yDims);
    feeds['b'] = feedOf(yDims, 4);
  } else if (one.added !== 'none') {
    initializers['b'] = random(addedDims[one.added] as number[], 4);
  }

  const attributes: Record<string, AttributeSpec> = {
    ...(transB ? { transB: 1 } : {}),
    ...(transA ? { transA: 1 } : {}),
    ...(one.op === 'Gemm alpha beta' ? { alpha: { float: 0.75 }, beta: { float: 1.5 } } : {}),
  };
  /** The layer over `x` and the weight `name`, giving `y`. */
  const layer = (x: string, name: string, y: string, prefix: string): NodeSpec[] => {
    if (gemm) return [{ op: 'Gemm', in: [x, name, ...(one.added === 'none' ? [] : ['b'])], out: [y], attributes }];
    const weight = flipped ? `${prefix}turned` : name;
    const turn: NodeSpec[] = flipped
      ? [{ op: 'Transpose', in: [name], out: [weight], attributes: { perm: [1, 0] } }]
      : [];
    if (one.added === 'none') return [...turn, { op: 'MatMul', in: [x, weight], out: [y] }];
    // The side of the product in the Add depends on the seed.
    const sides = seed % 2 ? ['b', `${prefix}p`] : [`${prefix}p`, 'b'];
    return [...turn, { op: 'MatMul', in: [x, weight], out: [`${prefix}p`] }, { op: 'Add', in: sides, out: [y] }];
  };
  const constant: NodeSpec = { op: 'Constant', in: [], out: ['w'], attributes: { value: w } };

  let products = 2;
  if (one.weight === 'Constant') nodes.push(constant);
  else if (one.weight !== 'in body') initializers['w'] = w;
  if (one.weight === 'graph input') inputs['w'] = value(w.dtype, w.dims);
  if (one.weight === 'captured' || one.weight === 'in body') {
    const inside = one.weight === 'in body';
    const body = (prefix: string, after: NodeSpec): GraphSpec => ({
      outputs: { [`${prefix}out`]: declared(yDims) },
      initializers: inside ? { [`${prefix}w`]: w } : {},
      nodes: [...layer('x', inside ? `${prefix}w` : 'w', `${prefix}y`, prefix), after],
    });
    const branches = {
      then_branch: body('t_', { op: 'Relu', in: ['t_y'], out: ['t_out'] }),
      else_branch: body('e_', { op: 'Neg', in: ['e_y'], out: ['e_out'] }),
    };
    inputs['c'] = value('bool', []);
    feeds['c'] = new Tensor('bool', [seed % 3 !== 0], []);
    nodes.push({ op: 'If', in: ['c'], out: ['y'], attributes: branches });
    products = 3;
  } else if (one.weight === 'shared') {
    nodes.push(...layer('x', 'w', 'y1', 'a_'), { op: 'Neg', in: ['x'], out: ['nx'] }, ...layer('nx', 'w', 'y2', 'b_'));
    nodes.push({ op: 'Tanh', in: ['y2'], out: ['y3'] }, { op: 'Mul', in: ['y1', 'y3'], out: ['y'] });
    products = 3;
  } else if (one.weight === 'tied') {
    // Rows of the table are mixed into x, as in a tied embedding.
    const idDims = xDims.slice(0, -1);
    const ids = Array.from({ length: elementCount(idDims) }, (_, index) => BigInt(index % outer));
    inputs['ids'] = one.rank === 'unknown' ? value('int64') : value('int64', idDims);
    feeds['ids'] = new Tensor('int64', BigInt64Array.from(ids), idDims);
    if (transA)
      nodes.push(
        { op: 'Gather', in: ['w', 'ids'], out: ['rows'] },
        { op: 'ReduceMax', in: ['rows'], out: ['row'], attributes: { keepdims: 0 } },
      );
    else nodes.push({ op: 'Gather', in: ['w', 'ids'], out: ['row'] });
    nodes.push({ op: 'Add', in: ['x', 'row'], out: ['h'] }, ...layer('h', 'w', 'y', ''));
  } else {
    nodes.push(...layer('x', 'w', 'y', ''));
  }

  const outputs: Record<string, ReturnType<typeof value>> = { z: declared([...outLead, 6]) };
  const activation = (op: string): NodeSpec => ({ op, in: ['y'], out: ['f'] });
  switch (one.follower) {
    case 'none':
      nodes.push({ op: 'MatMul', in: ['y', 'last'], out: ['z'] });
      break;
    case 'Clip':
      initializers['low'] = random([], 5);
      initializers['low'] = half ? { dtype: 'float16', dims: [], data: Uint16Array.of(toHalf(-1.5)) } : f32([], [-1.5]);
      initializers['high'] = half ? { dtype: 'float16', dims: [], data: Uint16Array.of(toHalf(1.5)) } : f32([], [1.5]);
      nodes.push({ op: 'Clip', in: ['y', 'low', 'high'], out: ['f'] });
      break;
    case 'Add Relu':
      inputs['s'] = declared(yDims);
      feeds['s'] = feedOf(yDims, 6);
      nodes.push({ op: 'Add', in: ['y', 's'], out: ['q'] }, { op: 'Relu', in: ['q'], out: ['f'] });
      break;
    case 'Softmax':
      nodes.push({ ...activation('Softmax'), attributes: { axis: -1 } });
      break;
    case 'several':
      nodes.push(
        activation('Relu'),
        { op: 'Sigmoid', in: ['y'], out: ['g'] },
        { op: 'Mul', in: ['f', 'g'], out: ['u'] },
      );
      outputs['u'] = declared(yDims);
      break;
    default:
      nodes.push(activation(one.follower));
  }
  if (one.follower !== 'none') nodes.push({ op: 'MatMul', in: ['f', 'last'], out: ['z'] });
  return {
    spec: {
      opset: Number(one.opset),
      irVersion: Number(one.opset) > 20 ? 10 : 8,
      inputs,
      outputs,
      initializers,
      nodes,
    },
    feeds,
    options: {
      dtype: one.dtype,
      perTensor: one.scale === 'per tensor',
      weightsOnly: one.form === 'weights-only',
      format: one.form === 'qoperator' ? 'qoperator' : 'qdq',
    },
    products,
  };
}

const STRUCTURE = ['op', 'rank', 'added', 'follower', 'weight', 'form'] as const;

/** Every combination of the axes that change the graph; other axes take random values in each round. */
export function* everyStructure(round = 0): Generator<Case> {
  const sizes = STRUCTURE.map((axis) => AXES[axis].length);
  const total = sizes.reduce((a, b) => a * b, 1);
  for (let number = 0; number < total; number++) {
    const digits = digitsOf(number, sizes);
    const structure = Object.fromEntries(STRUCTURE.map((axis, index) => [axis, AXES[axis][digits[index] as number]]));
    const rest = digitsOf(Math.floor(seeded(number + round * total)() * 160), [2, 2, 2, 4, 5]);
    const chance = (['dtype', 'scale', 'float', 'opset', 'size'] as const).map((axis, index) => [
      axis,
      AXES[axis][rest[index] as number],
    ]);
    const one = { ...structure, ...Object.fromEntries(chance) } as Case;
    if (exists(one)) yield one;
  }
}

function digitsOf(number: number, sizes: readonly number[]): number[] {
  let rest = number;
  return sizes.map((size) => {
    const digit = rest % size;
    rest = Math.floor(rest / size);
    return digit;
  });
}
