import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { type Pass, pack, prune, quantize, unpack } from '../../../src/index.node.ts';
import { calibratedQuantize } from '../../../src/node/recipes/calibrated.ts';
import { STATIC_DEFAULTS } from '../../../src/passes/quantize/static/index.ts';
import { fixture } from '../../support/cli.ts';
import { pass } from '../../support/model.ts';
import { readNpz } from '../../support/npz.ts';
import { expectSameRuns } from './support.ts';

const pruned = (): Pass => prune({ method: 'l1', amount: 0.6 });

/** Like `quantize --calibrate`. */
function calibrated(name: string): Pass {
  return calibratedQuantize(
    {},
    {
      ...{ data: fixture(`${name}-calib.npz`), overwrite: false, observer: 'minmax', ...STATIC_DEFAULTS },
      prefer: 'size',
      ...{ biasCorrection: true, onProgress: () => {} },
    },
  );
}

/** Passes after pruning, and kernels that ONNX Runtime's graph must have for each model: [mlp, cnn, vit]. */
const forms: readonly (readonly [string, (name: string) => Pass[], readonly (RegExp | undefined)[]])[] = [
  ['float', () => [], [/Gemm/, /Conv/, /MatMul/]],
  [
    'int8 dynamic',
    () => [quantize({ minElements: 0 })],
    [/DynamicQuantizeMatMul/, /DynamicQuantizeMatMul/, /DynamicQuantizeMatMul/],
  ],
  [
    'int8 weights-only',
    () => [quantize({ minElements: 0, weightsOnly: true })],
    [/MatMulNBits/, /Conv/, /MatMulNBits/],
  ],
  [
    'uint8 weights-only, one zero point',
    () => [quantize({ minElements: 0, weightsOnly: true, dtype: 'uint8', perTensor: true })],
    [/MatMulNBits/, /Conv/, /MatMulNBits/],
  ],
  ['int8 static', (name) => [calibrated(name)], [/QGemm/, /QLinearConv/, undefined]],
];

describe('ONNX Runtime gives the same bits and runs the same operators as for the dense model', () => {
  for (const [index, name] of ['digits-mlp', 'digits-cnn', 'digits-vit'].entries()) {
    test.each(forms)(`${name}: %s`, async (_, passes, kernels) => {
      const { y: _labels, labels: _more, ...inputs } = await readNpz(fixture(`${name}-test.npz`));
      const input = Object.keys(inputs)[0] as string;
      const x = inputs[input];
      if (x === undefined) throw new Error('no input');
      const model = (await pass(fixture(`${name}.onnx`), pruned(), ...passes(name))).bytes;
      const packed = await pass(model, pack());
      expect(packed.report.changes.length).toBeGreaterThan(1);
      const counts = await expectSameRuns(model, packed.bytes, { [input]: x }, ['all']);
      const wanted = kernels[index];
      if (wanted !== undefined) expect(Object.keys(counts).join()).toMatch(wanted);
      expect(Object.keys(counts).filter((one) => /BitShift|CumSum|Unpack/.test(one))).toEqual([]);
      const back = await pass(packed.bytes, unpack());
      // Tensors of the exporter are re-encoded when they are restored; ours are the same.
      if (passes(name).length > 0) expect(Buffer.compare(back.bytes, model)).toBe(0);
    });
  }
});

test('digits-mlp, 60 % pruned, int8 and packed, takes at most 16 % of the float file', async () => {
  const { bytes } = await pass(fixture('digits-mlp.onnx'), pruned(), quantize({ minElements: 0 }), pack());
  expect(bytes.length).toBeLessThanOrEqual(0.16 * readFileSync(fixture('digits-mlp.onnx')).length);
});
