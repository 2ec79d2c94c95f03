import { expect, test } from '@jest/globals';
import { readModel } from '../../../src/index.node.ts';
import { scratchOf } from '../../../src/node/recipes/aside.ts';
import { buildModel, f32 } from '../../support/build.ts';

test('data set aside for a model is removed when the model is closed', async () => {
  const nodes = [{ op: 'Relu', in: ['x'], out: ['y'] }];
  const model = await readModel(buildModel({ opset: 17, inputs: { x: f32([2]) }, outputs: { y: f32([2]) }, nodes }));
  const read = await scratchOf(model).keep(Uint8Array.of(1, 2, 3));
  expect(await read()).toEqual(Uint8Array.of(1, 2, 3));
  await model.close();
  await expect(read()).rejects.toMatchObject({ code: 'io' });
  // Its descriptor may belong to another file by now.
  await model.close();
});
