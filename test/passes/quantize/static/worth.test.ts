/** Layers run on integers if that saves time, including the conversions around them. */
import { describe, expect, test } from '@jest/globals';
import type { ActivationRange } from '../../../../src/activations/ranges.ts';
import { print, quantizeStatic, readModel, type StaticOptions, transform } from '../../../../src/index.node.ts';
import { buildModel, f32, type ModelSpec, type NodeSpec } from '../../../support/build.ts';
import { normal } from '../../../support/calibrated.ts';

const attributes = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
const conv = (x: string, w: string, y: string, more = {}): NodeSpec => {
  return { op: 'Conv', in: [x, w], out: [y], attributes: { ...attributes, ...more } };
};
const weight = (dims: number[]) =>
  f32(
    dims,
    normal(
      dims.reduce((a, b) => a * b, 1),
      dims.length,
      0.1,
    ),
  );

/** The values that get a QuantizeLinear, given the number of elements of each value. */
async function integersOf(
  spec: Pick<ModelSpec, 'nodes' | 'initializers'>,
  elements: Readonly<Record<string, number>>,
  options: Partial<StaticOptions> = {},
) {
  const model = await readModel(
    buildModel({
      opset: 17,
      inputs: { x: f32(['N', 'C', 'H', 'W']) },
      outputs: { y: f32(['N', 'C', 'H', 'W']) },
      ...spec,
    }),
  );
  const range = (count: number): ActivationRange => {
    const known = { min: -1, max: 1, observedMin: -1, observedMax: 1, power: 0.2, clipError: 0, zeros: 0 };
    return { ...known, elements: count };
  };
  const ranges = new Map(Object.entries(elements).map(([name, count]) => [name, range(count)]));
  const [report] = await transform(model, quantizeStatic({ ranges, ...options }));
  return { changed: report?.changes.map((one) => one.weight) ?? [], report, text: print(model) };
}

const chain = (channels: number, more = {}) => ({
  nodes: [conv('x', 'w0', 'h', more), conv('h', 'w1', 'y', more)],
  initializers: { w0: weight([channels, channels, 3, 3]), w1: weight([channels, channels, 3, 3]) },
});
const sized = (elements: number) => ({ x: elements, h: elements, y: elements });

test('wide layers over many places run on integers, narrow ones stay float', async () => {
  expect((await integersOf(chain(64), sized(64 * 28 * 28))).changed).toEqual(['w0', 'w1']);
  expect((await integersOf(chain(4), sized(4 * 28 * 28))).changed).toEqual([]);
});

test('a single layer must be large enough, because conversions take time however few products there are', async () => {
  const lone = {
    nodes: [{ op: 'Conv', in: ['x', 'w'], out: ['y'] }],
    initializers: { w: weight([32, 32, 1, 1]) },
  };
  expect((await integersOf(lone, sized(32 * 28 * 28))).changed).toEqual([]);
  const wide = { ...lone, initializers: { w: weight([256, 256, 1, 1]) } };
  expect((await integersOf(wide, sized(256 * 28 * 28))).changed).toEqual(['w']);
});

test('a depthwise filter stays float, with a reason, and --prefer size quantizes it', async () => {
  const depthwise = {
    nodes: [conv('x', 'w', 'y', { group: 32 })],
    initializers: { w: weight([32, 1, 3, 3]) },
  };
  const { changed, report } = await integersOf(depthwise, sized(32 * 28 * 28));
  expect(changed).toEqual([]);
  expect(report?.skips).toMatchObject([{ weight: 'w', reason: 'unfused_island' }]);
  expect((await integersOf(depthwise, sized(32 * 28 * 28), { prefer: 'size' })).changed).toEqual(['w']);
});

test('squeeze-and-excite blocks stay float, because they work on single values', async () => {
  const nodes: NodeSpec[] = [
    conv('x', 'w0', 'c'),
    { op: 'ReduceMean', in: ['c'], out: ['g'], attributes: { axes: [2, 3] } },
    { op: 'Conv', in: ['g', 'w1'], out: ['e'] },
    { op: 'HardSigmoid', in: ['e'], out: ['k'] },
    { op: 'Mul', in: ['c', 'k'], out: ['m'] },
    conv('m', 'w2', 'y'),
  ];
  const initializers = { w0: weight([64, 64, 3, 3]), w1: weight([64, 64, 1, 1]), w2: weight([64, 64, 3, 3]) };
  const large = 64 * 28 * 28;
  const found = await integersOf({ nodes, initializers }, { x: large, c: large, g: 64, e: 64, m: large, y: large });
  expect(found.changed).toEqual(['w0', 'w2']);
});

describe('operators between layers', () => {
  const initializers = { w0: weight([64, 64, 3, 3]), w1: weight([64, 64, 3, 3]), w2: weight([64, 64, 3, 3]) };
  const large = 64 * 28 * 28;

  test('an Add with its Relu passes on integers, also to the next Add', async () => {
    const nodes: NodeSpec[] = [
      conv('x', 'w0', 'a'),
      conv('a', 'w1', 'b'),
      { op: 'Add', in: ['a', 'b'], out: ['s'] },
      { op: 'Relu', in: ['s'], out: ['r'] },
      conv('r', 'w2', 'c'),
      { op: 'Add', in: ['r', 'c'], out: ['y'] },
    ];
    const { text } = await integersOf({ nodes, initializers }, { x: large, a: large, b: large, r: large, c: large });
    // It has the name of the float value, whose readers then read the quantized one.
    expect(text).toContain('r = DequantizeLinear');
    expect(text).toContain('y = Add (r, c)');
  });

  test('a MaxPool after a float layer stays float, by a Sum before the integers', async () => {
    const nodes: NodeSpec[] = [
      conv('x', 'w0', 'a'),
      { op: 'MaxPool', in: ['a'], out: ['p'], attributes: { kernel_shape: [3, 3], strides: [2, 2] } },
      conv('p', 'w1', 'y'),
    ];
    const first = { w0: weight([64, 3, 3, 3]), w1: weight([64, 64, 3, 3]) };
    const sizes = { x: 3 * 112 * 112, a: 64 * 112 * 112, p: 64 * 56 * 56, y: 64 * 56 * 56 };
    const { text, changed } = await integersOf({ nodes, initializers: first }, sizes, { exclude: [/^w0$/] });
    expect(changed).toEqual(['w1']);
    expect(text).toMatch(/p = MaxPool <.*> \(a\)/);
    expect(text).toContain('p_float = Sum (p)');
    expect(text).toContain('QuantizeLinear (p_float,');
  });

  test('a MaxPool between integer layers passes on integers', async () => {
    const nodes: NodeSpec[] = [
      conv('x', 'w0', 'a'),
      { op: 'MaxPool', in: ['a'], out: ['p'], attributes: { kernel_shape: [3, 3], strides: [2, 2] } },
      conv('p', 'w1', 'y'),
    ];
    const { text } = await integersOf({ nodes, initializers }, { x: large, a: large, p: large / 4, y: large / 4 });
    expect(text).toContain('p = DequantizeLinear');
    expect(text).not.toContain('Sum');
  });
});
