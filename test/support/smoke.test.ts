import { expect, test } from '@jest/globals';
import { print, readModel } from '../../src/index.ts';

test('a model reads and prints', async () => {
  const model = await readModel(new URL('../../fixtures/mymodel.onnx', import.meta.url).pathname);
  expect(print(model)).toContain('Gemm');
  await model.close();
});
