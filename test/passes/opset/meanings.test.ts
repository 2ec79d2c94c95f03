import { describe, expect, test } from '@jest/globals';
import { print } from '../../../src/index.node.ts';
import { type AttributeSpec, f32, float, i64, type ModelSpec, type TensorSpec, value } from '../../support/build.ts';
import { feed } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { expectRefused, expectSame } from './check.ts';

/** A model of one node `n` that makes y from x and weights. */
function one(
  opset: number,
  op: string,
  dims: readonly number[],
  attributes: Record<string, AttributeSpec>,
  initializers: Record<string, TensorSpec> = {},
): ModelSpec {
  return {
    opset,
    inputs: { x: f32(dims) },
    outputs: { y: f32() },
    initializers,
    nodes: [{ op, name: 'n', in: ['x', ...Object.keys(initializers)], out: ['y'], attributes }],
  };
}

const random = (...dims: number[]): TensorSpec => f32(dims, randomFloats(dims, dims.length, 0.5, 1.5));

describe('Upsample and Resize', () => {
  test.each(['nearest', 'linear'])('Upsample %s', async (mode) => {
    for (const scales of [
      [1, 1, 2, 2],
      [1, 1, 1.6, 2.4],
    ]) {
      await expectSame(one(7, 'Upsample', [1, 2, 5, 7], { mode, scales: float(scales) }), [9, 10, 11, 13, 18, 19, 21]);
      await expectSame(one(9, 'Upsample', [1, 2, 5, 7], { mode }, { scales: f32([4], scales) }), [10, 11, 13, 21]);
    }
  });
  test('Upsample with computed scales', async () => {
    const spec: ModelSpec = {
      opset: 9,
      inputs: { x: f32([1, 1, 3, 3]), s: f32([4]) },
      outputs: { y: f32() },
      nodes: [{ op: 'Upsample', name: 'up1', in: ['x', 's'], out: ['y'] }],
    };
    const feeds = { x: feed([1, 1, 3, 3], randomFloats([9])), s: feed([4], Float32Array.of(1, 1, 2, 3)) };
    const { model } = await expectSame(spec, [10, 11, 13, 21], feeds);
    expect(print(model)).toContain(
      'coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> (x, up1_roi, s)',
    );
  });
  test.each(['nearest', 'linear'])('Resize %s', async (mode) => {
    for (const scales of [
      [1, 1, 1.5, 2],
      [1, 1, 0.4, 0.7],
    ]) {
      await expectSame(one(10, 'Resize', [1, 2, 9, 11], { mode }, { scales: f32([4], scales) }), [11, 13, 18, 19, 21]);
    }
  });
  test('Resize "nearest" is refused if opset 11 cannot express its rounding', async () => {
    const mixed = one(10, 'Resize', [1, 1, 4, 4], {}, { scales: f32([4], [1, 1, 2, 0.5]) });
    const how =
      'it enlarges one dim and shrinks another, which no single rounding of "nearest" in opset 11 can express';
    await expectRefused(mixed, 13, `Resize 'n' cannot be converted to opset 11: ${how}`);
    const computed = { ...mixed, initializers: {}, inputs: { x: f32([1, 1, 4, 4]), scales: f32([4]) } };
    const why = 'its scales input is computed, and opset 11 rounds "nearest" differently for enlarging and shrinking';
    await expectRefused(computed, 13, `Resize 'n' cannot be converted to opset 11: ${why}`);
    const linear = {
      ...computed,
      nodes: [{ op: 'Resize', in: ['x', 'scales'], out: ['y'], attributes: { mode: 'linear' } }],
    };
    const feeds = { x: feed([1, 1, 4, 4], randomFloats([16])), scales: feed([4], Float32Array.of(1, 1, 2, 0.5)) };
    await expectSame(linear, [11, 13], feeds);
  });
  test('Resize with sizes drops the empty scales', async () => {
    const weights = { roi: f32([0], []), scales: f32([0], []), sizes: i64([4], [1, 2, 7, 3]) };
    for (const mode of ['nearest', 'linear', 'cubic']) {
      const { model } = await expectSame(one(11, 'Resize', [1, 2, 5, 4], { mode }, weights), [13, 18, 19, 21]);
      expect(print(model)).toContain('(x, roi, , sizes)');
    }
    const gone = one(11, 'Resize', [1, 2, 5, 4], { coordinate_transformation_mode: 'tf_half_pixel_for_nn' }, weights);
    const why = 'its coordinate_transformation_mode tf_half_pixel_for_nn was removed in opset 13';
    await expectRefused(gone, 13, `Resize 'n' cannot be converted to opset 13: ${why}`);
  });
});

describe('attributes that changed', () => {
  const statistics = { s: random(3), b: random(3), m: random(3), v: random(3) };
  test('BatchNormalization', async () => {
    const attributes = { spatial: 1, epsilon: float(0.01), momentum: float(0.8) };
    const { model } = await expectSame(
      one(7, 'BatchNormalization', [2, 3, 4], attributes, statistics),
      [9, 13, 14, 15, 21],
    );
    expect(print(model)).not.toContain('spatial');
    const spec = one(7, 'BatchNormalization', [2, 3, 4], { spatial: 0 }, statistics);
    await expectRefused(
      spec,
      13,
      "BatchNormalization 'n' cannot be converted to opset 9: its attribute spatial = 0 was removed in opset 9",
    );
  });
  test('BatchNormalization for training', async () => {
    const nodes = [{ op: 'BatchNormalization', name: 'n', in: ['x', 's', 'b', 'm', 'v'], out: ['y', 'nm', 'nv'] }];
    const spec = { ...one(9, 'BatchNormalization', [2, 3, 4], {}, statistics), nodes };
    const why = 'it has outputs for training, which opset 14 defines differently';
    await expectRefused(spec, 14, `BatchNormalization 'n' cannot be converted to opset 14: ${why}`);
  });
  test.each(['avg', 'max'])('RoiAlign %s', async (mode) => {
    const weights = { rois: f32([2, 4], [0.3, 0.7, 5, 6, 1, 1, 7.5, 7]), batch: i64([2], [0, 0]) };
    const attributes = { mode, output_height: 3, output_width: 2, sampling_ratio: 2, spatial_scale: float(0.9) };
    await expectSame(one(10, 'RoiAlign', [1, 2, 9, 9], attributes, weights), [13, 16, 21]);
  });
  test.each(['bilinear', 'bicubic', 'nearest'])('GridSample %s', async (mode) => {
    const weights = { grid: f32([1, 3, 4, 2], randomFloats([24], 5, -1.3, 1.3)) };
    for (const padding_mode of ['zeros', 'border', 'reflection']) {
      for (const align_corners of [0, 1]) {
        await expectSame(one(16, 'GridSample', [1, 2, 5, 6], { mode, padding_mode, align_corners }, weights), [20, 21]);
      }
    }
    await expectSame(one(16, 'GridSample', [1, 2, 5, 6], {}, weights), [20]);
  });
  test('refuses operators that the new opset cannot express', async () => {
    const erf = { ...one(9, 'Erf', [3], {}), inputs: { x: value('int32', [3]) }, outputs: { y: value('int32') } };
    const floats = 'it computes on int32, and opset 13 accepts only floats';
    await expectRefused(erf, 13, `Erf 'n' cannot be converted to opset 13: ${floats}`);
    const norm = one(18, 'GroupNormalization', [1, 4, 3], { num_groups: 2 }, { s: random(2), b: random(2) });
    const groups = 'its scale and bias are per group, and opset 21 requires them per channel';
    await expectRefused(norm, 21, `GroupNormalization 'n' cannot be converted to opset 21: ${groups}`);
  });
  test('Scatter is ScatterElements', async () => {
    const weights = { i: i64([2, 2], [0, 2, 1, 0]), u: f32([2, 2], [10, 20, 30, 40]) };
    const { model } = await expectSame(one(9, 'Scatter', [3, 2], { axis: 0 }, weights), [11, 13, 16, 18, 21]);
    expect(print(model)).toContain('y = ScatterElements <axis = 0> (x, i, u)');
  });
  test('ConvTranspose', async () => {
    await expectSame(
      one(9, 'ConvTranspose', [1, 2, 4, 4], { strides: [2, 2], pads: [0, 1, 1, 0] }, { w: random(2, 3, 3, 3) }),
      [11, 21],
    );
  });
});

describe('pooling means the same in every version', () => {
  const pads = [{ pads: [0, 1, 1, 0] }, { auto_pad: 'SAME_UPPER' }, { auto_pad: 'SAME_LOWER' }, { auto_pad: 'VALID' }];
  const sizes = [
    [7, 3, 2],
    [8, 2, 2],
    [6, 3, 3],
  ] as const;
  const cases = pads.flatMap((padding) =>
    sizes.map(([height, kernel, stride]) => ({
      height,
      attributes: { kernel_shape: [kernel, kernel], strides: [stride, stride], ...padding },
    })),
  );
  test('MaxPool', async () => {
    for (const { height, attributes } of cases) {
      await expectSame(one(7, 'MaxPool', [1, 2, height, 9], attributes), [8, 10, 11, 12, 21]);
      await expectSame(one(10, 'MaxPool', [1, 2, height, 9], { ...attributes, ceil_mode: 1 }), [11, 12, 21]);
    }
  });
  test('AveragePool', async () => {
    for (const { height, attributes } of cases) {
      for (const rounding of [{}, { ceil_mode: 1 }, { ceil_mode: 1, count_include_pad: 1 }, { count_include_pad: 1 }]) {
        const spec = one('ceil_mode' in rounding ? 10 : 7, 'AveragePool', [1, 2, height, 9], {
          ...attributes,
          ...rounding,
        });
        await expectSame(spec, [11, 13]);
        await expectSame(spec, [19, 21], undefined, 1e-6);
      }
    }
  });
});
