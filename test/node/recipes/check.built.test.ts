/** Runs both models: SQNR of the outputs, and the time of a run. */
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { check, quantize, readModel, transform, writeModel } from '../../../src/index.node.ts';
import { fixture, folder } from '../../support/cli.ts';

test('a model compared with itself loses nothing, and with its quantized form a part', async () => {
  const float = fixture('digits-mlp.onnx');
  const small = join(folder(), 'small.onnx');
  const model = await readModel(float);
  await transform(model, quantize({}));
  await writeModel(model, small);
  await model.close();
  const same = await check(float, float, { samples: 2 });
  expect(same).toMatchObject({ samples: 2, outputs: [{ name: 'logits', sqnr: Number.POSITIVE_INFINITY }] });
  const found = await check(float, small, { data: fixture('digits-mlp-test.npz') });
  expect(found).toMatchObject({ samples: 8, data: expect.stringMatching(/digits-mlp-test\.npz: 8 samples/) });
  expect(found.outputs[0]?.sqnr).toBeGreaterThan(25);
  expect(found.outputs[0]?.sqnr).toBeLessThan(70);
  expect(found.ratio).toBeGreaterThan(0);
});

test('wrong options, and data that does not fit, are errors', async () => {
  const float = fixture('digits-mlp.onnx');
  await expect(check(float, float, { samples: 0 })).rejects.toMatchObject({ code: 'options' });
  await expect(check(float, float, { data: fixture('digits-cnn-calib.npz') })).rejects.toMatchObject({ code: 'data' });
});
