/** The result of inlining, line by line, and what it refuses. */
import { expect, test } from '@jest/globals';
import { print, quantize } from '../../src/index.node.ts';
import { MAX_INLINED_NODES } from '../../src/passes/inline/choose.ts';
import { type Inlined, inlineFunctions } from '../../src/passes/inline/index.ts';
import { type FunctionSpec, f32, type ModelSpec, type NodeSpec } from '../support/build.ts';
import { bytesOf, modelOf, pass } from '../support/model.ts';
import { concat, field, int } from '../support/wire.ts';

const notesOf = ({ kept }: Inlined): string[] => kept.map((one) => one.note);

const call = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: NodeSpec['attributes'] = {},
): NodeSpec => ({
  op,
  domain: 'own',
  name: `call_${op}`,
  in: inputs,
  out: outputs,
  attributes,
});

function spec(
  nodes: readonly NodeSpec[],
  functions: readonly Partial<FunctionSpec>[],
  rest: Partial<ModelSpec> = {},
): ModelSpec {
  const whole = functions.map((one) => ({
    name: 'F',
    domain: 'own',
    opset: 17,
    inputs: ['a'],
    outputs: ['b'],
    nodes: [],
    ...one,
  }));
  return {
    opset: 17,
    inputs: { x: f32([2]) },
    outputs: { y: f32() },
    nodes,
    functions: whole,
    domains: { own: 1 },
    ...rest,
  };
}

const all = (): boolean => true;

async function lines(from: ModelSpec | Uint8Array): Promise<string[]> {
  const model = await modelOf(from);
  inlineFunctions(model, all);
  expect(model.functions).toEqual([]);
  // The written file is the same.
  const text = print(model);
  expect(print(await modelOf(await bytesOf(model)))).toBe(text);
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => / = [A-Z]/.test(line));
}

test('prefixes inner names with the call, and maps inputs and outputs to the values of the caller', async () => {
  const nodes = [
    { op: 'Neg', name: 'n', in: ['a'], out: ['t'] },
    { op: 'Abs', in: ['t'], out: ['b'] },
  ];
  expect(await lines(spec([call('F', ['x'], ['h']), call('F', ['h'], ['y'])], [{ nodes }]))).toEqual([
    'call_F/t = Neg (x)',
    'h = Abs (call_F/t)',
    'call_F/t_1 = Neg (h)',
    'y = Abs (call_F/t_1)',
  ]);
});

test('supports omitted inputs, an output that is an input, and a value passed twice', async () => {
  const nodes = [{ op: 'Clip', in: ['a', 'low'], out: ['b'] }];
  const callee = { inputs: ['a', 'low'], outputs: ['b', 'a', 'b'], nodes };
  expect(
    await lines(spec([call('F', ['x'], ['p', 'q', 'r']), { op: 'Sum', in: ['p', 'q', 'r'], out: ['y'] }], [callee])),
  ).toEqual(['p = Clip (x, )', 'q = Identity (x)', 'r = Identity (p)', 'y = Sum (p, q, r)']);
});

test('resolves attribute references: given, omitted, and by default', async () => {
  const nodes: NodeSpec[] = [
    { op: 'LeakyRelu', in: ['a'], out: ['b'], attributes: { alpha: { reference: 'slope', type: 'FLOAT' } } },
  ];
  const one = { nodes, attributes: ['slope'] };
  expect(await lines(spec([call('F', ['x'], ['y'], { slope: { float: 0.5 } })], [one]))).toEqual([
    'y = LeakyRelu <alpha = 0.5> (x)',
  ]);
  expect(await lines(spec([call('F', ['x'], ['y'])], [one]))).toEqual(['y = LeakyRelu (x)']);
  // onnx-proto is too old for FunctionProto.attribute_proto (field 11), so this function is encoded by hand.
  const reference = field(5, field(1, 'alpha'), int(20, 1), field(21, 'slope'));
  const node = field(7, field(1, 'a'), field(2, 'b'), field(4, 'LeakyRelu'), reference);
  const fallback = field(11, field(1, 'slope'), int(3, 0), int(20, 2));
  const callee = field(25, field(1, 'F'), field(4, 'a'), field(5, 'b'), node, fallback, field(10, 'own'));
  const { buildModel } = await import('../support/build.ts');
  const bare = buildModel(spec([call('F', ['x'], ['y'])], []));
  expect(await lines(concat(bare, callee))).toEqual(['y = LeakyRelu <alpha = 0> (x)']);
});

test('does not inline a recursive function, directly or indirectly, and gives the reason', async () => {
  const model = await modelOf(
    spec(
      [call('F', ['x'], ['y'])],
      [{ nodes: [call('G', ['a'], ['b'])] }, { name: 'G', nodes: [call('F', ['a'], ['b'])] }],
    ),
  );
  const { inlined, kept } = inlineFunctions(model, all);
  expect(inlined).toEqual([]);
  expect(kept.map((one) => one.note)).toEqual(
    ['F', 'G'].map((name) => `function '${name}' is not inlined: it calls itself, directly or through others`),
  );
  expect(print(model)).toContain('y = own.F (x)');
});

test('does not inline functions that grow exponentially', async () => {
  const levels = Array.from({ length: 12 }, (_, level) => ({
    name: `F${level}`,
    nodes: Array.from({ length: 10 }, (_unused, at) =>
      level === 11
        ? { op: 'Neg', in: ['a'], out: [at === 0 ? 'b' : `t${at}`] }
        : call(`F${level + 1}`, ['a'], [at === 0 ? 'b' : `t${at}`]),
    ),
  }));
  const model = await modelOf(spec([call('F0', ['x'], ['y'])], levels));
  const started = model.graph.nodes.length;
  const { inlined, kept } = inlineFunctions(model, all);
  expect(inlined).toEqual([]);
  expect(kept.map((one) => one.note)).toContain("function 'F0' is not inlined: it would add 1000000000000 nodes");
  expect(model.graph.nodes.length).toBe(started);
  expect(MAX_INLINED_NODES).toBeLessThan(1_000_000);
});

test('refuses a function whose output no node produces', async () => {
  const model = await modelOf(spec([call('F', ['x'], ['y'])], [{ nodes: [{ op: 'Neg', in: ['a'], out: ['c'] }] }]));
  expect(notesOf(inlineFunctions(model, all))).toEqual([
    "function 'F' is not inlined: nothing in it produces its output 'b'",
  ]);
});

test('adds the opset domains of functions to the model, and refuses two versions of one', async () => {
  const nodes = [{ op: 'Gelu', domain: 'com.microsoft', in: ['a'], out: ['b'] }];
  const callee = { nodes, domains: { 'com.microsoft': 1 } };
  const model = await modelOf(spec([call('F', ['x'], ['y'])], [callee]));
  inlineFunctions(model, all);
  expect(model.opsets.map((one) => [one.domain, one.version])).toContainEqual(['com.microsoft', 1]);
  const other = await modelOf(spec([call('F', ['x'], ['y'])], [callee], { domains: { own: 1, 'com.microsoft': 2 } }));
  expect(notesOf(inlineFunctions(other, all))).toEqual([
    "function 'F' is not inlined: it uses version 1 of 'com.microsoft', the model 2",
  ]);
});

test('the report names the inlined functions', async () => {
  const functions = ['A', 'B', 'C', 'D'].map((name) => ({
    name,
    inputs: ['a', 'w'],
    nodes: [{ op: 'MatMul', in: ['a', 'w'], out: ['b'] }],
  }));
  const nodes = functions.map(({ name }, at) =>
    call(name, [at === 0 ? 'x' : `h${at - 1}`, 'w'], [at === 3 ? 'y' : `h${at}`]),
  );
  const square = f32([2, 2], [1, 2, 3, 4]);
  const { report } = await pass(spec(nodes, functions, { initializers: { w: square } }), quantize());
  expect(report.notes).toEqual(['4 local functions are inlined, as ONNX Runtime does: A, B, C and 1 more']);
});
