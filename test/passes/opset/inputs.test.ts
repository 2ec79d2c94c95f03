import { describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { print } from '../../../src/index.node.ts';
import { type AttributeSpec, f32, float, i64, type ModelSpec, value } from '../../support/build.ts';
import { feed } from '../../support/ort.ts';
import { expectRefused, expectSame } from './check.ts';

/** A model of one node `n` that makes y from x. */
function one(
  opset: number,
  op: string,
  dims: readonly number[],
  attributes: Record<string, AttributeSpec> = {},
): ModelSpec {
  return {
    opset,
    inputs: { x: f32(dims) },
    outputs: { y: f32() },
    nodes: [{ op, name: 'n', in: ['x'], out: ['y'], attributes }],
  };
}

describe('Clip', () => {
  test('bounds become tensors', async () => {
    const { model, result } = await expectSame(
      one(9, 'Clip', [4, 5], { min: float(-0.5), max: float(1) }),
      [11, 13, 21],
    );
    expect(print(model)).toContain('y = Clip (x, n_min, n_max)');
    expect(result).toMatchObject({ from: 9, adapted: [{ opType: 'Clip', count: 1 }] });
  });
  test('an absent bound stays absent', async () => {
    const { model } = await expectSame(one(9, 'Clip', [9], { max: float(0.25) }), [13]);
    expect(print(model)).toContain('y = Clip (x, , n_max)');
    expect(print((await expectSame(one(7, 'Clip', [9], { min: float(0.25) }), [13])).model)).toContain(
      'Clip (x, n_min)',
    );
    expect(print((await expectSame(one(7, 'Clip', [9]), [13])).model)).toContain('y = Clip (x)');
  });
  test('finds the element type through nodes without stated types', async () => {
    const spec: ModelSpec = {
      opset: 9,
      inputs: { x: i64([3]) },
      outputs: { y: f32() },
      nodes: [
        { op: 'Cast', in: ['x'], out: ['a'], attributes: { to: 1 } },
        { op: 'Identity', in: ['a'], out: ['b'] },
        { op: 'Clip', name: 'n', in: ['b'], out: ['c'], attributes: { min: float(0), max: float(6) } },
        { op: 'Add', in: ['c', 'c'], out: ['y'] },
      ],
    };
    const { model } = await expectSame(spec, [13], { x: new Tensor('int64', BigInt64Array.of(-1n, 3n, 9n), [3]) });
    expect(print(model)).toContain('c = Clip (b, n_min, n_max)');
  });
  test('supports float16 with an absent bound, or one between two float16 numbers', async () => {
    // 1 and -1, infinities, and numbers beside 0.1.
    const halves = Uint16Array.of(0x3c00, 0xbc00, 0x7c00, 0xfc00, 0x2e66, 0x2e67, 0x0001, 0x7bff);
    for (const attributes of [{ min: float(0.1) }, { max: float(0.1) }, { min: float(-0.3), max: float(1e-3) }]) {
      const spec: ModelSpec = {
        opset: 9,
        inputs: { x: value('float16', [8]) },
        outputs: { y: value('float16') },
        nodes: [{ op: 'Clip', name: 'n', in: ['x'], out: ['y'], attributes }],
      };
      await expectSame(spec, [11, 13, 21], { x: new Tensor('float16', halves, [8]) });
    }
  });
});

describe('attributes that become inputs', () => {
  test('Slice', async () => {
    const { model } = await expectSame(
      one(9, 'Slice', [4, 5, 6], { starts: [1, -3], ends: [3, 1000], axes: [0, 2] }),
      [10, 13, 21],
    );
    expect(print(model)).toContain('y = Slice (x, n_starts, n_ends, n_axes)');
    await expectSame(one(9, 'Slice', [4, 5, 6], { starts: [1], ends: [-1] }), [10, 13]);
    // To the end, as torch writes it: no number of JavaScript is 2^63 - 1, and the next one wraps to -2^63.
    const toTheEnd = [2n ** 63n - 1n, 2n ** 63n - 1n];
    await expectSame(one(9, 'Slice', [4, 5, 6], { starts: [-1, 2], ends: toTheEnd, axes: [1, 2] }), [10, 13, 21]);
  });
  test('Squeeze and Unsqueeze', async () => {
    await expectSame(one(11, 'Squeeze', [1, 3, 1, 2], { axes: [0, 2] }), [13, 21]);
    const { model } = await expectSame(one(9, 'Squeeze', [1, 3, 1, 2]), [13]);
    expect(print(model)).toContain('y = Squeeze (x)');
    await expectSame(one(9, 'Unsqueeze', [3, 2], { axes: [0, 3] }), [13, 21]);
  });
  test('ReduceSum', async () => {
    await expectSame(one(11, 'ReduceSum', [3, 4, 5], { axes: [1, -1], keepdims: 0 }), [13, 18, 21]);
    await expectSame(one(9, 'ReduceSum', [3, 4, 5]), [13]);
  });
  const others = ['L1', 'L2', 'LogSum', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'SumSquare'];
  test.each(others)('Reduce%s', async (kind) => {
    const exp = (attributes: Record<string, AttributeSpec>): ModelSpec => ({
      ...one(9, `Reduce${kind}`, [3, 4, 5]),
      nodes: [
        { op: 'Exp', in: ['x'], out: ['e'] },
        { op: `Reduce${kind}`, name: 'n', in: ['e'], out: ['y'], attributes },
      ],
    });
    await expectSame(exp({ axes: [0, 2] }), [13, 18, 20, 21]);
    await expectSame(exp({ keepdims: 0 }), [18]);
  });
  test('Split', async () => {
    const split = (opset: number, attributes: Record<string, AttributeSpec>): ModelSpec => ({
      opset,
      inputs: { x: f32([2, 6]) },
      outputs: { a: f32(), b: f32() },
      nodes: [{ op: 'Split', name: 'n', in: ['x'], out: ['a', 'b'], attributes }],
    });
    await expectSame(split(9, { axis: 1, split: [2, 4] }), [11, 13, 18, 21]);
    const { model } = await expectSame(split(11, { axis: 1 }), [13, 18, 21]);
    expect(print(model)).toContain('a, b = Split <axis = 1, num_outputs = 2> (x)');
  });
  test('TopK', async () => {
    const spec: ModelSpec = { ...one(9, 'TopK', [3, 8]), outputs: { y: f32(), i: i64() } };
    const nodes = [{ op: 'TopK', name: 'n', in: ['x'], out: ['y', 'i'], attributes: { k: 3, axis: 1 } }];
    await expectSame({ ...spec, nodes }, [10, 11, 13, 21]);
  });
  test.each(['constant', 'reflect', 'edge'])('Pad %s', async (mode) => {
    await expectSame(one(9, 'Pad', [3, 4], { mode, pads: [1, 2, 0, 1], value: float(1.5) }), [11, 13, 18, 21]);
    await expectSame(one(9, 'Pad', [3, 4], { mode, pads: [0, 2, 2, 0] }), [13]);
  });
  test('Dropout', async () => {
    for (const opset of [7, 10]) {
      const { model } = await expectSame(one(opset, 'Dropout', [4], { ratio: float(0.25) }), [13, 21]);
      expect(print(model)).toContain('y = Dropout (x, n_ratio)');
    }
    const masked = { ...one(9, 'Dropout', [4]), nodes: [{ op: 'Dropout', name: 'n', in: ['x'], out: ['y', 'm'] }] };
    await expectSame(masked, [13]);
    const why = 'its mask is used, which was a float tensor before opset 10';
    await expectRefused(
      { ...masked, outputs: { y: f32(), m: f32() } },
      13,
      `Dropout 'n' cannot be converted to opset 10: ${why}`,
    );
  });
  test('DFT', async () => {
    const { model } = await expectSame(one(17, 'DFT', [2, 8, 4, 1]), [20, 21]);
    expect(print(model)).toContain('y = DFT (x, , n_axis)');
    await expectSame(one(17, 'DFT', [2, 8, 4, 1], { axis: 2, onesided: 1 }), [20]);
  });
});

describe.each(['Softmax', 'LogSoftmax', 'Hardmax'])('%s', (op) => {
  test('over the last axis becomes axis −1', async () => {
    const { model } = await expectSame(one(11, op, [3, 4, 5], { axis: 2 }), [13, 21]);
    expect(print(model)).toContain(`y = ${op} <axis = 2> (x)`);
    expect(print((await expectSame(one(9, op, [3, 4]), [13])).model)).toContain(`y = ${op} <axis = 1> (x)`);
    expect(print((await expectSame(one(11, op, [3, 4, 5], { axis: -1 }), [13])).model)).not.toContain('Flatten');
    expect(print((await expectSame(one(9, op, [3, 4, 1, 1]), [13])).model)).not.toContain('Flatten');
  });
  test('over several axes runs on a flattened matrix', async () => {
    for (const axis of [0, 1]) {
      const { model } = await expectSame(one(9, op, [3, 4, 5], { axis }), [13, 21]);
      expect(print(model)).toContain(`${op} <axis = -1> (n_flat)`);
    }
    await expectSame(one(11, op, [3, 4, 5], { axis: -2 }), [13]);
    await expectSame(one(9, op, [2, 3, 4, 5]), [13]);
  });
  test('of unknown rank runs on a flattened matrix', async () => {
    const spec = { ...one(9, op, []), inputs: { x: value('float32') } };
    const { model } = await expectSame(spec, [13, 21], {
      x: feed(
        [2, 6],
        Float32Array.from({ length: 12 }, (_, i) => i % 5),
      ),
    });
    expect(print(model)).toContain('Flatten <axis = 1> (x)');
  });
});
