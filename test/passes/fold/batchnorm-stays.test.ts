/** BatchNormalization that is not folded, and what the report says. */
import { describe, expect, test } from '@jest/globals';
import { fold } from '../../../src/passes/fold/index.ts';
import { buildModel, f32, value } from '../../support/build.ts';
import { pass } from '../../support/model.ts';
import { expectLeft, model, norm, normalization, weight } from './support.ts';

const image = ['batch', 4, 6, 6];

describe('is not folded', () => {
  const conv = { op: 'Conv', in: ['x', 'W'], out: ['c'] };
  const initializers = { W: weight([6, 4, 1, 1]), ...normalization(6) };
  const alone = [
    expect.anything(),
    '1 BatchNormalization stays: no Conv, ConvTranspose, Gemm or MatMul feeds it alone',
  ];

  test('if another node also reads the Conv', async () => {
    const nodes = [conv, norm('c', 'n'), { op: 'Add', in: ['n', 'c'], out: ['y'] }];
    expect((await expectLeft(model(nodes, initializers, image))).notes).toEqual(alone);
  });

  test('if the Conv is an output of the model', async () => {
    const spec = model([conv, norm('c', 'y')], initializers, image);
    expect((await expectLeft({ ...spec, outputs: { c: f32(), y: f32() } })).notes).toEqual(alone);
  });

  test('if a body reads the Conv', async () => {
    const branch = (output: string) => ({
      outputs: { [output]: f32() },
      nodes: [{ op: 'Add', in: ['c', 'n'], out: [output] }],
    });
    const attributes = { then_branch: branch('t'), else_branch: branch('e') };
    const spec = model(
      [conv, norm('c', 'n'), { op: 'If', in: ['choice'], out: ['y'], attributes }],
      initializers,
      image,
    );
    await expectLeft({ ...spec, inputs: { ...spec.inputs, choice: value('bool', []) } });
  });

  test('after any other operator', async () => {
    expect((await expectLeft(model([norm('x', 'y')], normalization(4), image))).notes).toEqual(alone);
  });

  test('after a MatMul of three dims, whose dim 1 is not its channel', async () => {
    const nodes = [{ op: 'MatMul', in: ['x', 'W'], out: ['c'] }, norm('c', 'y')];
    await expectLeft(model(nodes, { W: weight([4, 6]), ...normalization(6) }, [2, 6, 4]));
  });

  test('in training mode', async () => {
    const training = norm('c', 'y', '', { training_mode: 1 });
    await expectLeft(model([conv, { ...training, out: ['y', 'm', 'v'] }], initializers, image));
  });

  test('if the variance is negative, with the reason', async () => {
    const broken = { ...initializers, va: f32([6], [1, 1, 1, -1, 1, 1]) };
    const report = await expectLeft(model([conv, norm('c', 'y')], broken, image));
    expect(report.skips).toEqual([
      {
        ...{ weight: 'g', node: 'y', opType: 'BatchNormalization', elements: 6, bytes: 24, reason: 'non_finite' },
        detail: 'its parameters give no finite factor (NaN, infinity or a negative variance)',
      },
    ]);
    expect(report.notes).toEqual(['nothing to fold']);
  });

  test('if a caller may feed a parameter, with the reason', async () => {
    const spec = model([conv, norm('c', 'y')], initializers, image);
    const report = await expectLeft({ ...spec, inputs: { ...spec.inputs, mu: f32([6]) } });
    expect(report.skips.map((one) => [one.weight, one.reason])).toEqual([['mu', 'graph_input']]);
  });

  test('if a caller may feed the weight', async () => {
    const spec = model([conv, norm('c', 'y')], initializers, image);
    expect((await expectLeft({ ...spec, inputs: { ...spec.inputs, W: f32([6, 4, 1, 1]) } })).notes).toEqual(alone);
  });

  test('if the bias is computed', async () => {
    const nodes = [
      { op: 'ReduceMean', in: ['x'], out: ['r'], attributes: { axes: [0, 2, 3], keepdims: 0 } },
      { op: 'Conv', in: ['x', 'W', 'r'], out: ['c'] },
    ];
    await expectLeft(model([...nodes, norm('c', 'y')], { W: weight([4, 4, 1, 1]), ...normalization(4) }, image));
  });

  test('into float16 weights, which is noted', async () => {
    const halves = Object.entries(initializers).map(
      ([name, { dims, data }]) =>
        [name, { dtype: 'float16', dims, data: new Uint16Array((data as Float32Array).length).fill(0x3c00) }] as const,
    );
    const nodes = [
      { op: 'Cast', in: ['x'], out: ['h'], attributes: { to: 10 } },
      { op: 'Conv', in: ['h', 'W'], out: ['c'] },
      norm('c', 'n'),
      { op: 'Cast', in: ['n'], out: ['y'], attributes: { to: 1 } },
    ];
    const report = await expectLeft(model(nodes, Object.fromEntries(halves), image));
    expect(report.notes).toEqual(['nothing to fold', '1 node stays: 16-bit float weights are not folded']);
  });

  test('in a local function', async () => {
    const nodes = [
      { op: 'Conv', in: ['a', 'w'], out: ['c'] },
      { op: 'BatchNormalization', in: ['c', 'g', 'be', 'mu', 'va'], out: ['r'] },
    ];
    const body = {
      name: 'f',
      domain: 'local',
      opset: 17,
      inputs: ['a', 'w', 'g', 'be', 'mu', 'va'],
      outputs: ['r'],
      nodes,
    };
    const call = { op: 'f', domain: 'local', in: ['x', 'W', 'g', 'be', 'mu', 'va'], out: ['y'] };
    const spec = { ...model([call], initializers, image), domains: { local: 1 }, functions: [body] };
    const report = await pass(buildModel(spec), fold());
    expect(report.report.notes).toEqual(['nothing to fold', '1 local function is left unchanged']);
    expect(report.model.functions[0]?.nodes.map((node) => node.opType)).toEqual(['Conv', 'BatchNormalization']);
  });
});
