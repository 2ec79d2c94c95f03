/** Inputs become constants, and dead branches are removed. */
import { describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { type InputValue, setInputs } from '../../../src/index.node.ts';
import { readInputValues } from '../../../src/passes/copy/set.ts';
import { buildModel, f32, type GraphSpec, i64, type ModelSpec, type NodeSpec, value } from '../../support/build.ts';
import { modelOf, pass, weightBytes } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';

const weight = (dims: readonly number[], seed = 1) => f32(dims, randomFloats(dims, seed));
const node = (
  op: string,
  inputs: readonly string[],
  out: string,
  attributes: NodeSpec['attributes'] = {},
): NodeSpec => ({
  ...{ op, in: inputs, out: [out], attributes },
});

/** A branch with the same names as the other one, and a nested If. */
function branch(name: string, seed: number): GraphSpec {
  const inner = (op: string): GraphSpec => ({ outputs: { o: f32() }, nodes: [node(op, ['h'], 'o')] });
  return {
    outputs: { [name]: f32(), same: f32() },
    initializers: { w: weight([8, 8], seed) },
    nodes: [
      node('MatMul', ['x', 'w'], 'h'),
      node('If', ['big'], 'inside', { then_branch: inner('Relu'), else_branch: inner('Neg') }),
      node('Add', ['inside', 'h'], name),
      node('Identity', ['x'], 'same'),
    ],
  };
}

/** A branch of an If that remains, with the same names. */
const other = (name: string, seed: number): GraphSpec => ({
  outputs: { [name]: f32() },
  initializers: { w: weight([8, 8], seed) },
  nodes: [node('MatMul', ['x', 'w'], 'h'), node('Relu', ['h'], name)],
});

/** Like a voice detector for two sample rates. */
const twoRates: ModelSpec = {
  opset: 17,
  inputs: { x: f32(['n', 8]), sr: value('int64', []), c: value('bool', []) },
  outputs: { y: f32(), z: f32() },
  initializers: { rate: i64([], [16000]) },
  nodes: [
    node('Equal', ['sr', 'rate'], 'is16'),
    node('Less', ['sr', 'rate'], 'less'),
    node('Not', ['less'], 'big'),
    {
      op: 'If',
      in: ['is16'],
      out: ['p', 'z'],
      attributes: { then_branch: branch('t', 1), else_branch: branch('e', 2) },
    },
    node('If', ['c'], 'q', { then_branch: other('t2', 3), else_branch: other('e2', 4) }),
    node('Add', ['p', 'q'], 'y'),
  ],
};

test.each([16000, 8000])('sr=%s keeps only its branches, also nested ones', async (sr) => {
  const { model, bytes, report } = await pass(twoRates, setInputs({ sr }));
  expect(model.graph.inputs.map((one) => one.name)).toEqual(['x', 'c']);
  expect(model.graphs()).toHaveLength(3);
  expect(model.graph.nodes.map((one) => one.opType)).toEqual([
    'MatMul',
    sr === 16000 ? 'Relu' : 'Neg',
    'Add',
    'Identity',
    'If',
    'Add',
  ]);
  const x = feed([3, 8], randomFloats([3, 8], 4));
  const own = { x, c: new Tensor('bool', [true], []) };
  const rate = new Tensor('int64', BigInt64Array.of(BigInt(sr)), []);
  expect(await runModel(bytes, own)).toEqual(await runModel(buildModel(twoRates), { ...own, sr: rate }));
  expect(report.notes).toEqual([
    "'sr' is now a constant, int64, one number",
    '2 Ifs replaced by the branch that is taken',
    '3 unused nodes removed',
  ]);
  // The weight of the branch is renamed, because a remaining branch has the same name.
  expect([...model.graph.initializers.keys()]).toEqual(['w_1']);
});

const plain = (dtype: 'float32' | 'int64' | 'bool', dims?: readonly (number | string)[]): ModelSpec => ({
  ...{ opset: 17, inputs: { x: f32(['n']), s: value(dtype, dims) }, outputs: { y: f32() } },
  nodes: [node('Cast', ['s'], 'c', { to: 1 }), node('Add', ['x', 'c'], 'y')],
});

describe('values', () => {
  test.each<readonly [string, ModelSpec, InputValue, number[], number[]]>([
    ['a number for a scalar', plain('float32', []), 0.5, [], [0.5]],
    ['a number for all of known dims', plain('int64', [3]), 7, [3], [7, 7, 7]],
    ['a list for open dims', plain('int64', ['n']), [1, 2], [2], [1, 2]],
    ['true', plain('bool', []), true, [], [1]],
  ])('%s', async (_, spec, given, dims, elements) => {
    const { model } = await pass(spec, setInputs({ s: given }));
    const tensor = model.graph.initializers.get('s');
    expect(tensor?.dims).toEqual(dims);
    const bytes = Uint8Array.from(await weightBytes(model, 's'));
    const types = { float32: Float32Array, int64: BigInt64Array, bool: Uint8Array };
    const read = Array.from(new types[(tensor as { dtype: string }).dtype as 'float32'](bytes.buffer), Number);
    expect(read).toEqual(elements);
  });

  test.each<readonly [ModelSpec, Record<string, InputValue>, string]>([
    [plain('int64', []), { sr: 1 }, "the model has no input 'sr'"],
    [plain('int64', []), { s: 1.5 }, "'s' is int64, one number; 1.5 does not fit in int64"],
    [plain('int64', [2, 3]), { s: [1, 2, 3] }, "'s' is int64 [2, 3]; the value has the dims [3]"],
    [plain('int64', ['n']), { s: 1 }, "'s' is int64 [n]; a single number does not determine its dims: give a list"],
    [plain('bool', []), { s: 2 }, "'s' is bool, one number; 2 does not fit in bool"],
    [plain('float32', [2, 2]), { s: [[1, 2], [3]] }, "'s' is float32 [2, 2]; the lists of the value differ in length"],
  ])('refused: %#', async (spec, given, message) => {
    await expect(setInputs(given).run(await modelOf(spec))).rejects.toMatchObject({
      code: 'options',
      where: 'set',
      message: `set: ${message}`,
    });
  });

  test('can be given as text', () => {
    expect({ ...readInputValues(['sr=16000', 'a=b=[[1, 0.5]]', 'big=9223372036854775807', 'yes=true']) }).toEqual({
      ...{ sr: 16000, 'a=b': [[1, 0.5]], big: 9223372036854775807n, yes: true },
    });
    for (const [text, message] of [
      ['sr', "set: 'sr' is not an input name with a value"],
      ['sr=fast', "set: 'fast' is not a value for 'sr'"],
      ['=1', "set: '=1' is not an input name with a value"],
    ]) {
      expect(() => readInputValues([text as string])).toThrow(message);
    }
    expect(() => readInputValues(['a=1', 'a=2'])).toThrow("set: 'a' is given twice");
  });
});
