import { describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { print } from '../../../src/index.node.ts';
import { type DType, dtypeNumber } from '../../../src/ir/dtype.ts';
import { raiseOpset } from '../../../src/passes/opset/index.ts';
import { buildModel, type ModelSpec, type NodeSpec, type TensorSpec, value } from '../../support/build.ts';
import { fromHalf, toHalf } from '../../support/half.ts';
import { optimizedModel, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { bytesOf, modelOf } from './check.ts';

type Float = 'float16' | 'float32' | 'float64';

/** A written-out form of a layer normalization. */
interface Form {
  readonly input: DType;
  /** The types of Casts before it, after its Sub, and between its Div and its Mul. */
  readonly before?: Float;
  readonly within?: Float;
  readonly behind?: Float;
  readonly scale: Float;
  /** Two Subs, as older exporters write it. */
  readonly twice?: boolean;
}

const DIMS = [3, 8];

function floats(dtype: DType, values: readonly number[]): TensorSpec['data'] {
  if (dtype === 'float16') return Uint16Array.from(values, toHalf);
  return dtype === 'float64' ? Float64Array.from(values) : Float32Array.from(values);
}

function tensor(dtype: DType, dims: readonly number[], values: readonly number[]): TensorSpec {
  return { dtype, dims, data: floats(dtype, values) };
}

function specOf({ input, before, within, behind, scale, twice = false }: Form): ModelSpec {
  const nodes: NodeSpec[] = [];
  const add = (op: string, from: readonly string[], out: string, attributes: NodeSpec['attributes'] = {}): string => {
    nodes.push({ op, in: from, out: [out], attributes });
    return out;
  };
  const cast = (from: string, to: Float | undefined, out: string): string =>
    to === undefined ? from : add('Cast', [from], out, { to: dtypeNumber(to) });
  const x = cast('x', before, 'cast');
  add('ReduceMean', [x], 'mean', { axes: [-1] });
  const d = cast(add('Sub', [x, 'mean'], 'd'), within, 'dc');
  const e = twice ? add('Sub', [x, 'mean'], 'e') : d;
  add('Pow', [e, 'two'], 'p');
  add('ReduceMean', ['p'], 'variance', { axes: [-1] });
  add('Add', ['variance', 'eps'], 've');
  add('Sqrt', ['ve'], 's');
  const n = cast(add('Div', [d, 's'], 'n'), behind, 'nc');
  add('Mul', ['gamma', n], 'm');
  add('Add', ['m', 'beta'], 'y');
  const inner = within ?? before ?? input;
  const eight = Array.from({ length: 8 }, (_, index) => index / 4);
  return {
    opset: 13,
    inputs: { x: value(input, DIMS) },
    outputs: { y: value(scale) },
    nodes,
    initializers: {
      two: tensor(inner, [], [2]),
      eps: tensor(inner, [], [1e-3]),
      gamma: tensor(scale, [8], eight),
      beta: tensor(scale, [8], eight),
    },
  };
}

function numbers({ type, data }: Tensor): number[] {
  return Array.from(data as ArrayLike<number>, (one) => (type === 'float16' ? fromHalf(one) : Number(one)));
}

async function check(form: Form, sums: number, operators: readonly string[]): Promise<string> {
  const spec = specOf(form);
  const values = [...randomFloats(DIMS, 3, -4, 4)];
  const data =
    form.input === 'int64' ? BigInt64Array.from(values, (one) => BigInt(Math.round(one))) : floats(form.input, values);
  const feeds = { x: new Tensor(form.input as 'float32', data as Float32Array, DIMS) };
  const before = numbers((await runModel(buildModel(spec), feeds))['y'] as Tensor);
  let text = '';
  for (const target of [17, 18, 21, 23, 26]) {
    const model = await modelOf(buildModel(spec));
    const result = await raiseOpset(model, target);
    const note = `a Sum in 1 written-out LayerNormalization of two types, without which ONNX Runtime cannot load opset ${target}`;
    expect(result).toMatchObject({ raised: true, notes: sums === 0 ? [] : [note] });
    text = print(model);
    expect(text.match(/ = Sum /g)?.length ?? 0).toBe(sums);
    const bytes = await bytesOf(model);
    const after = numbers((await runModel(bytes, feeds, 'all'))['y'] as Tensor);
    // float16 numbers above 1 are a thousandth apart, and the fused kernel rounds elsewhere.
    const bound = form.scale === 'float16' ? 4e-3 : 1e-5;
    expect(Math.max(...after.map((one, index) => Math.abs(one - (before[index] ?? 0))))).toBeLessThan(bound);
    const ran = (await modelOf(await optimizedModel(bytes))).graph.nodes.map((one) => one.opType);
    expect(operators.filter((one) => !ran.includes(one))).toEqual([]);
  }
  return text;
}

const FUSED = ['LayerNormalization'];

describe('a layer normalization written out with a Cast', () => {
  test.each<[string, Form]>([
    ['of float16', { input: 'float16', before: 'float32', scale: 'float32' }],
    ['of float16, with two Subs', { input: 'float16', before: 'float32', scale: 'float32', twice: true }],
    ['of float64', { input: 'float64', before: 'float32', scale: 'float32' }],
    ['of float32 to float64', { input: 'float32', before: 'float64', scale: 'float64' }],
    ['of int64', { input: 'int64', before: 'float32', scale: 'float32' }],
  ])('%s: inserts a Sum after the Cast, and ONNX Runtime fuses it', async (_, form) => {
    const text = await check(form, 1, [...FUSED, 'Sum']);
    expect(text).toContain('cast_normalized = Sum (cast)');
  });

  test.each<[string, Form]>([
    ['before the Mul', { input: 'float32', behind: 'float16', scale: 'float16' }],
    ['behind the Sub', { input: 'float16', within: 'float32', scale: 'float32' }],
  ])('a Cast %s: inserts a Sum after the Div, and keeps the nodes', async (_, form) => {
    const text = await check(form, 1, ['Sqrt', 'Sum']);
    expect(text).toContain('n_normalized = Sum (n)');
  });

  test.each<[string, Form]>([
    ['to and from float32', { input: 'float16', before: 'float32', behind: 'float16', scale: 'float16' }],
    ['none', { input: 'float32', scale: 'float32' }],
    ['to float32 of float32', { input: 'float32', before: 'float32', scale: 'float32' }],
  ])('%s: inserts nothing', async (_, form) => {
    await check(form, 0, FUSED);
  });

  test('does not change if its Cast has other readers', async () => {
    const spec = specOf({ input: 'float16', before: 'float32', scale: 'float32' });
    const model = await modelOf(
      buildModel({
        ...spec,
        outputs: { ...spec.outputs, z: value('float32') },
        nodes: [...spec.nodes, { op: 'Relu', in: ['cast'], out: ['z'] }],
      }),
    );
    expect(await raiseOpset(model, 17)).toMatchObject({ raised: true, notes: [] });
    await optimizedModel(await bytesOf(model));
  });
});
