import { describe, expect, test } from '@jest/globals';
import { type Axis, type PruneOptions, prune } from '../../../src/index.node.ts';
import { f32, type ModelSpec, type NodeSpec, type TensorSpec } from '../../support/build.ts';
import { bytesOf, modelOf, pass, weightBytes, weightFloats } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';
import { zerosOf } from './support.ts';

/** A model of these nodes over the weight `w`. */
function model(w: TensorSpec, nodes: readonly NodeSpec[]): ModelSpec {
  return { opset: 17, inputs: { x: f32() }, outputs: { y: f32() }, initializers: { w }, nodes };
}

const node = (op: string, inputs: readonly string[], attributes: NodeSpec['attributes'] = {}): NodeSpec => ({
  op,
  in: inputs,
  out: ['y'],
  name: op.toLowerCase(),
  attributes: { ...attributes },
});
const gemm = (transB: number): NodeSpec => node('Gemm', ['x', 'w'], { transB });
const dims = (...list: number[]): TensorSpec => f32(list, randomFloats(list, 5));

/** The axis along which slices became zero, from the report; or why none did. */
async function axisOf(spec: ModelSpec, axis: Axis): Promise<string> {
  const { report } = await pass(spec, prune({ method: 'l1', amount: 1, axis }));
  const [change] = report.changes;
  return change === undefined ? `${report.skips[0]?.reason}: ${report.skips[0]?.detail}` : (change.form ?? 'no form');
}

describe('the axis of output channels and of inputs', () => {
  const turned: NodeSpec[] = [{ op: 'Transpose', in: ['w'], out: ['t'] }, node('MatMul', ['x', 't'])];
  test.each<[string, ModelSpec, string, string]>([
    ['Gemm, transB', model(dims(3, 5), [gemm(1)]), '1 of 3 slices along axis 0', '1 of 5 slices along axis 1'],
    ['Gemm', model(dims(3, 5), [gemm(0)]), '1 of 5 slices along axis 1', '1 of 3 slices along axis 0'],
    [
      'Gemm, weight left',
      model(dims(3, 5), [node('Gemm', ['w', 'x'])]),
      '1 of 3 slices along axis 0',
      '1 of 5 slices along axis 1',
    ],
    [
      'Gemm, weight left, transA',
      model(dims(3, 5), [node('Gemm', ['w', 'x'], { transA: 1 })]),
      '1 of 5 slices along axis 1',
      '1 of 3 slices along axis 0',
    ],
    [
      'MatMul',
      model(dims(3, 5), [node('MatMul', ['x', 'w'])]),
      '1 of 5 slices along axis 1',
      '1 of 3 slices along axis 0',
    ],
    [
      'MatMul, weight left',
      model(dims(3, 5), [node('MatMul', ['w', 'x'])]),
      '1 of 3 slices along axis 0',
      '1 of 5 slices along axis 1',
    ],
    ['MatMul behind Transpose', model(dims(3, 5), turned), '1 of 3 slices along axis 0', '1 of 5 slices along axis 1'],
    [
      'MatMul, a stack of matrices',
      model(dims(2, 3, 5), [node('MatMul', ['x', 'w'])]),
      '1 of 5 slices along axis 2',
      '1 of 3 slices along axis 1',
    ],
    [
      'Conv',
      model(dims(3, 5, 2, 2), [node('Conv', ['x', 'w'])]),
      '1 of 3 slices along axis 0',
      '1 of 5 slices along axis 1',
    ],
    [
      'ConvTranspose',
      model(dims(3, 5, 2, 2), [node('ConvTranspose', ['x', 'w'])]),
      '1 of 5 slices along axis 1',
      '1 of 3 slices along axis 0',
    ],
    [
      'Conv with groups',
      model(dims(4, 5, 2), [node('Conv', ['x', 'w'], { group: 2 })]),
      '1 of 4 slices along axis 0',
      'no_such_axis: its 2 groups share that axis, so that no slice is a single channel',
    ],
    [
      'ConvTranspose with groups',
      model(dims(4, 5, 2), [node('ConvTranspose', ['x', 'w'], { group: 2 })]),
      'no_such_axis: its 2 groups share that axis, so that no slice is a single channel',
      '1 of 4 slices along axis 0',
    ],
    [
      'Conv with groups that cannot be',
      model(dims(4, 5, 2), [node('Conv', ['x', 'w'], { group: -3 })]),
      'no_such_axis: it cannot be divided into -3 groups',
      'no_such_axis: it cannot be divided into -3 groups',
    ],
    [
      'MatMul behind Reshape',
      {
        ...model(dims(15), [{ op: 'Reshape', in: ['w', 's'], out: ['r'] }, node('MatMul', ['x', 'r'])]),
        initializers: { w: dims(5, 3), s: { dtype: 'int64', dims: [2], data: BigInt64Array.of(3n, 5n) } },
      },
      'no_such_axis: it is reshaped before its node reads it',
      'no_such_axis: it is reshaped before its node reads it',
    ],
    [
      'a vector',
      model(dims(5), [node('MatMul', ['x', 'w'])]),
      'no_such_axis: it has one axis; slices need two or more',
      'no_such_axis: it has one axis; slices need two or more',
    ],
    [
      'shared by nodes that agree',
      model(dims(4, 4), [{ ...gemm(0), out: ['p'] }, node('MatMul', ['p', 'w'])]),
      '1 of 4 slices along axis 1',
      '1 of 4 slices along axis 0',
    ],
    [
      'shared by nodes that do not',
      model(dims(4, 4), [{ ...gemm(1), out: ['p'] }, node('MatMul', ['p', 'w'])]),
      'no_such_axis: the nodes that share it use different axes of it',
      'no_such_axis: the nodes that share it use different axes of it',
    ],
  ])('%s', async (_, spec, out, input) => {
    expect([await axisOf(spec, 'out'), await axisOf(spec, 'in')]).toEqual([out, input]);
  });

  test('is unknown inside a function whose call gives the attribute', async () => {
    const w = dims(3, 5);
    const inside: NodeSpec[] = [
      { op: 'Constant', in: [], out: ['w'], attributes: { value: w } },
      { op: 'Gemm', in: ['a', 'w'], out: ['b'], attributes: { transB: { reference: 't', type: 'INT' } } },
    ];
    const spec: ModelSpec = {
      ...model(w, [{ op: 'F', domain: 'own', in: ['x'], out: ['y'], attributes: { t: 1 } }]),
      initializers: {},
      domains: { own: 1 },
      functions: [
        { name: 'F', domain: 'own', opset: 17, inputs: ['a'], outputs: ['b'], nodes: inside, attributes: ['t'] },
      ],
    };
    expect(await axisOf(spec, 'out')).toBe('no_such_axis: an attribute of the function call decides how Gemm reads it');
    expect(await axisOf(spec, 0)).toBe('1 of 3 slices along axis 0');
  });

  test('can be given by number, from either end, as stored', async () => {
    const spec = model(dims(3, 5, 2, 4), [node('Conv', ['x', 'w'])]);
    for (const [axis, length] of [3, 5, 2, 4].entries()) {
      expect(await axisOf(spec, axis)).toBe(`1 of ${length} slices along axis ${axis}`);
      expect(await axisOf(spec, axis - 4)).toBe(`1 of ${length} slices along axis ${axis}`);
    }
    expect(await axisOf(spec, 4)).toBe('no_such_axis: its axes are 0 to 3; axis 4 is not among them');
    expect(await axisOf(spec, -5)).toBe('no_such_axis: its axes are 0 to 3; axis -5 is not among them');
  });
});

describe('selection of slices', () => {
  const rows = (...list: number[][]): TensorSpec => f32([list.length, list[0]?.length ?? 0], list.flat());
  // The second has the smallest sum, the first the smallest squares, the third the smallest maximum.
  const w = rows([3, 3, 3, 0], [0, 5, 0, 0], [-2, 2, -2, 2.5], [9, 9, 9, 9]);

  test.each([
    ['l1', 1],
    ['l2', 2],
    ['linf', 2],
  ] as const)('the smallest by %s', async (method, row) => {
    const { bytes } = await pass(model(w, [gemm(1)]), prune({ method, amount: 1, axis: 'out' }));
    const left = Float32Array.from(w.data as Float32Array).fill(0, row * 4, row * 4 + 4);
    expect(await weightFloats(await modelOf(bytes), 'w')).toEqual(left);
  });

  test('rounds a fraction half to even, and takes the lower of equal slices first', async () => {
    const equal = rows([1, 1], [2, 2], [-1, 1], [2, 2], [1, -1]);
    const { bytes, report } = await pass(model(equal, [gemm(1)]), prune({ method: 'l2', amount: 0.5, axis: 0 }));
    expect(zerosOf(await weightFloats(await modelOf(bytes), 'w'))).toEqual([0, 1, 4, 5]);
    expect(report.changes).toMatchObject([{ zeros: 4, form: '2 of 5 slices along axis 0' }]);
  });

  test('at random takes the same number of whole slices, the same for the same seed', async () => {
    const spec = model(dims(40, 6), [gemm(1)]);
    const random = (seed: number): PruneOptions => ({ method: 'random', amount: 0.3, axis: 'out', seed });
    const zeros = async (seed: number): Promise<number[]> =>
      zerosOf(await weightFloats(await modelOf((await pass(spec, prune(random(seed)))).bytes), 'w'));
    const seven = await zeros(7);
    const slices = [...new Set(seven.map((index) => Math.floor(index / 6)))];
    expect([slices.length, seven.length]).toEqual([12, 72]);
    expect(await zeros(7)).toEqual(seven);
    expect(await zeros(8)).not.toEqual(seven);
  });

  test('supports any float type and Constant nodes, and changes nothing the second time', async () => {
    const values = [3, -4, 1, 1, 9, 9];
    const types: TensorSpec[] = [
      { dtype: 'float16', dims: [3, 2], data: Uint16Array.of(0x4200, 0xc400, 0x3c00, 0x3c00, 0x4880, 0x4880) },
      { dtype: 'bfloat16', dims: [3, 2], data: Uint16Array.of(0x4040, 0xc080, 0x3f80, 0x3f80, 0x4110, 0x4110) },
      { dtype: 'float64', dims: [3, 2], data: Float64Array.from(values) },
      f32([3, 2], values),
    ];
    for (const value of types) {
      const spec = model(value, [{ op: 'Constant', in: [], out: ['w'], attributes: { value } }, gemm(1)]);
      const options: PruneOptions = { method: 'l1', amount: 0.4, axis: 'out' };
      const first = await pass({ ...spec, initializers: {} }, prune(options));
      const bytes = await weightBytes(await modelOf(first.bytes), 'w');
      const expected = new Uint8Array(value.data.buffer.slice(0));
      expect(bytes).toEqual(expected.fill(0, expected.length / 3, (2 * expected.length) / 3));
      const again = await pass(first.bytes, prune(options));
      expect(Buffer.compare(first.bytes, again.bytes)).toBe(0);
      expect(again.report).toEqual(first.report);
      expect(Buffer.compare(first.bytes, await bytesOf(first.model))).toBe(0);
    }
  });

  test('does not change weights with fewer slices than requested, or with NaN', async () => {
    const spec = model(rows([1, Number.NaN], [2, 3]), [gemm(1)]);
    const skip = async (options: Partial<PruneOptions>) => {
      const { report } = await pass(spec, prune({ method: 'l1', amount: 1, axis: 'out', ...options }));
      return [report.changes.length, report.skips[0]?.reason, report.skips[0]?.detail];
    };
    expect(await skip({})).toEqual([0, 'non_finite', 'it contains NaN, which has no magnitude']);
    expect(await skip({ method: 'random', amount: 3 })).toEqual([
      0,
      'amount_exceeds_size',
      'it has 2 slices along axis 0, fewer than 3',
    ]);
    expect(await skip({ method: 'random' })).toEqual([1, undefined, undefined]);
  });
});
