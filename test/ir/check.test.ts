/** Distinguishes invalid models from valid ones in an unusual order; ONNX Runtime agrees on each. */
import { describe, expect, test } from '@jest/globals';
import { prune, transform } from '../../src/index.node.ts';
import { checkModel } from '../../src/ir/check.ts';
import { inOrder, type Ordered } from '../../src/ir/order.ts';
import { buildModel, type FunctionSpec, f32, type GraphSpec, type ModelSpec, type NodeSpec } from '../support/build.ts';
import { modelOf } from '../support/model.ts';
import { feed, runModel } from '../support/ort.ts';

const node = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  rest: Partial<NodeSpec> = {},
): NodeSpec => ({
  ...{ op, in: inputs, out: outputs },
  ...rest,
});

const model = (nodes: readonly NodeSpec[], rest: Partial<ModelSpec> = {}): ModelSpec => ({
  ...{ opset: 18, nodes, inputs: { x: f32([1, 2]) }, outputs: { y: f32() } },
  ...{ initializers: { w: f32([2, 2], [1, 2, 3, 4]) } },
  ...rest,
});

const multiply = node('MatMul', ['x', 'w'], ['y']);
const yes = node('Constant', [], ['yes'], {
  attributes: { value: { dtype: 'bool', dims: [], data: Uint8Array.of(1) } },
});
const branch = (nodes: readonly NodeSpec[], out: string): GraphSpec => ({ nodes, outputs: { [out]: f32() } });
const choose = (output: string, taken: GraphSpec): NodeSpec =>
  node('If', ['yes'], [output], {
    name: 'choose',
    attributes: { then_branch: taken, else_branch: branch([node('Neg', ['x'], ['other'])], 'other') },
  });
const fn = (name: string, nodes: readonly NodeSpec[], rest: Partial<FunctionSpec> = {}): FunctionSpec => ({
  ...{ name, domain: 'lib', opset: 18, domains: { lib: 1 }, inputs: ['a'], outputs: ['b'], nodes },
  ...rest,
});
const call = (name: string, input: string, output: string): NodeSpec =>
  node(name, [input], [output], { domain: 'lib' });
const withFunctions = (nodes: readonly NodeSpec[], ...functions: readonly FunctionSpec[]): ModelSpec =>
  model(nodes, { functions, domains: { lib: 1 } });

const BROKEN: readonly (readonly [string, ModelSpec, string])[] = [
  [
    'two nodes that feed each other',
    model([
      node('Add', ['x', 'b'], ['a'], { name: 'first' }),
      node('Relu', ['a'], ['b']),
      node('MatMul', ['b', 'w'], ['y']),
    ]),
    "the nodes depend on each other in a cycle: Relu 'b' → Add 'first' → Relu 'b'",
  ],
  [
    'a node that feeds itself',
    model([node('Add', ['x', 'a'], ['a']), node('MatMul', ['a', 'w'], ['y'])]),
    "the nodes depend on each other in a cycle: Add 'a' → Add 'a'",
  ],
  [
    'a circle that leads to nothing',
    model([multiply, node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b'])]),
    "the nodes depend on each other in a cycle: Relu 'b' → Add 'a' → Relu 'b'",
  ],
  [
    'a long circle',
    model([
      node('Add', ['x', 'v8'], ['v0']),
      ...Array.from({ length: 8 }, (_, at) => node('Relu', [`v${at}`], [`v${at + 1}`])),
      multiply,
    ]),
    "the nodes depend on each other in a cycle: Relu 'v1' → Relu 'v2' → Relu 'v3' → Relu 'v4' → Relu 'v5' → Relu 'v6' → 3 more → Relu 'v1'",
  ],
  [
    'an input that nothing makes',
    model([node('Add', ['x', 'lost'], ['y'])]),
    "Add 'y' reads 'lost', which nothing produces",
  ],
  [
    'an input of a node that nobody needs',
    model([multiply, node('Add', ['x', 'lost'], ['a'])]),
    "Add 'a' reads 'lost', which nothing produces",
  ],
  [
    'an output that nothing makes',
    model([multiply], { outputs: { y: f32(), z: f32() } }),
    "nothing produces the output 'z'",
  ],
  [
    'several',
    model([node('Add', ['x', 'lost'], ['y'])], { outputs: { y: f32(), z: f32() } }),
    "Add 'y' reads 'lost', which nothing produces; nothing produces the output 'z'",
  ],
  [
    'a circle through what a branch captures',
    model([yes, choose('y', branch([node('Relu', ['y'], ['taken'])], 'taken'))]),
    "the nodes depend on each other in a cycle: If 'choose' → If 'choose'",
  ],
  [
    'a circle inside a branch',
    model([
      yes,
      choose(
        'y',
        branch([node('Add', ['x', 'q'], ['p']), node('Relu', ['p'], ['q']), node('Neg', ['q'], ['taken'])], 'taken'),
      ),
    ]),
    "a body of If 'choose': the nodes depend on each other in a cycle: Relu 'q' → Add 'p' → Relu 'q'",
  ],
  [
    'a branch that reads what nothing makes',
    model([yes, choose('y', branch([node('Relu', ['lost'], ['taken'])], 'taken'))]),
    "Relu 'taken' in a body of If 'choose' reads 'lost', which nothing produces",
  ],
  [
    'a branch that gives out what nothing makes',
    model([yes, choose('y', branch([node('Relu', ['x'], ['taken'])], 'lost'))]),
    "nothing produces the output 'lost' of a body of If 'choose'",
  ],
  [
    'a value of a branch, read outside',
    model([yes, choose('m', branch([node('Relu', ['x'], ['taken'])], 'taken')), node('Add', ['m', 'taken'], ['y'])]),
    "Add 'y' reads 'taken', which nothing produces",
  ],
  [
    'a value that is made twice',
    model([multiply, node('Relu', ['x'], ['y'])]),
    "MatMul 'y' and Relu 'y' both produce 'y'",
  ],
  [
    'an initializer that is made again',
    model([multiply, node('Relu', ['y'], ['w'])]),
    "Relu 'w' produces 'w', which is already an initializer",
  ],
  [
    'an input that is made again',
    model([multiply, node('Relu', ['y'], ['x'])]),
    "Relu 'x' produces 'x', which is already an input",
  ],
  [
    'functions that call each other',
    withFunctions([call('F', 'x', 'y')], fn('F', [call('G', 'a', 'b')]), fn('G', [call('F', 'a', 'b')])),
    "the functions call each other in a cycle: 'F' → 'G' → 'F'",
  ],
  [
    'a function that calls itself, and that nothing calls',
    withFunctions([multiply], fn('F', [call('F', 'a', 'b')])),
    "the functions call each other in a cycle: 'F' → 'F'",
  ],
  [
    'a function that reads what nothing makes',
    withFunctions([call('F', 'x', 'y')], fn('F', [node('Add', ['a', 'lost'], ['b'])])),
    "function 'F': Add 'b' reads 'lost', which nothing produces",
  ],
];

const FINE: readonly (readonly [string, ModelSpec])[] = [
  ['nodes in another order', model([node('MatMul', ['a', 'w'], ['y']), node('Relu', ['x'], ['a'])])],
  [
    'a branch that captures what comes later',
    model([yes, choose('y', branch([node('Relu', ['later'], ['taken'])], 'taken')), node('Neg', ['x'], ['later'])]),
  ],
  [
    'an input that is left out',
    model([node('Clip', ['x', '', 'top'], ['y'])], { initializers: { top: f32([], [1]) } }),
  ],
  ['an input that is an output', model([multiply], { outputs: { y: f32(), x: f32([1, 2]) } })],
  ['a weight that is an output', model([multiply], { outputs: { y: f32(), w: f32([2, 2]) } })],
  [
    'branches with the same names',
    model([
      yes,
      node('If', ['yes'], ['y'], {
        attributes: {
          then_branch: branch([node('Relu', ['x'], ['same'])], 'same'),
          else_branch: branch([node('Neg', ['x'], ['same'])], 'same'),
        },
      }),
    ]),
  ],
  [
    'a function that nothing calls, whatever it holds',
    withFunctions([multiply], fn('F', [node('Add', ['a', 'lost'], ['b'])])),
  ],
  [
    'a function that reads a value of its caller',
    withFunctions([call('F', 'x', 'y')], fn('F', [node('Add', ['a', 'x'], ['b'])])),
  ],
  [
    'a function in a function',
    withFunctions([call('F', 'x', 'y')], fn('F', [call('G', 'a', 'b')]), fn('G', [node('Relu', ['a'], ['b'])])),
  ],
];

const run = (spec: ModelSpec) => runModel(buildModel(spec), { x: feed([1, 2], Float32Array.of(1, -2)) });

describe('refuses a model with', () => {
  test.each(BROKEN)('%s', async (_, spec, sentence) => {
    const broken = await modelOf(spec);
    expect(() => checkModel(broken)).toThrow(expect.objectContaining({ code: 'malformed', message: sentence }));
    await expect(run(spec)).rejects.toThrow();
  });
});

describe('accepts a model with', () => {
  test.each(FINE)('%s', async (_, spec) => {
    checkModel(await modelOf(spec));
    await run(spec);
  });
});

test('transform checks a model before it changes anything', async () => {
  const broken = await modelOf(model([multiply], { outputs: { y: f32(), z: f32() } }));
  await expect(transform(broken, prune({ method: 'l1', amount: 0.5 }))).rejects.toThrow(
    "nothing produces the output 'z'",
  );
});

describe('inOrder', () => {
  const order = (needs: Readonly<Record<string, readonly string[]>>): Ordered<string> =>
    inOrder(Object.keys(needs), (one) => needs[one] ?? []);

  test('puts each node after those it depends on', () => {
    expect(order({ c: ['b', 'a'], b: ['a', 'elsewhere'], a: [] })).toEqual({
      ordered: ['a', 'b', 'c'],
      circle: undefined,
    });
  });

  test('tells the nodes of a cycle from those that depend on it', () => {
    const { ordered, circle } = order({ end: ['b'], a: ['b'], b: ['a', 'free'], free: [] });
    expect(ordered).toEqual(['free']);
    expect(new Set(circle)).toEqual(new Set(['a', 'b']));
  });

  test('handles a chain of a hundred thousand nodes', () => {
    const many = Array.from({ length: 100_000 }, (_, at) => at);
    expect(inOrder(many, (one) => [one + 1]).ordered[0]).toBe(99_999);
    expect(inOrder(many, (one) => [(one + 1) % 100_000]).circle).toHaveLength(100_000);
  });
});
