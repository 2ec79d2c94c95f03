/** The cost of weights that are decoded when a model is loaded, and the form if there are too many. */
import { expect, test } from '@jest/globals';
import { derived } from '../../../../src/ir/tensor.ts';
import { planQuantize } from '../../../../src/passes/quantize/index.ts';
import type { QuantizeOptions } from '../../../../src/passes/quantize/options.ts';
import { f32 } from '../../../support/build.ts';
import { modelOf } from '../../../support/model.ts';

/** The notes on a product with `side²` weights, none of which is read. */
async function notesOf(side: number, options: QuantizeOptions): Promise<readonly string[]> {
  const model = await modelOf({
    ...{ opset: 21, irVersion: 10, inputs: { x: f32(['N', 4]) }, outputs: { y: f32(['N', 4]) } },
    nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }],
    initializers: { w: f32([4, 4], new Float32Array(16)) },
  });
  const unread = async (): Promise<Uint8Array> => Promise.reject(new Error('it is read'));
  model.graph.setInitializer(derived('w', 'float32', [side, side], unread));
  return (await planQuantize({ bits: 4, headBits: 4, ...options }).run(model)).notes;
}

const exceeds = (most: number, instead: string, usual: string): string =>
  `product weights exceed the ${most} that a runtime can decode when it loads the model: ${instead} instead of ${usual}`;

test.each<[string, number, QuantizeOptions, string]>([
  ['multipliers on a CPU', 8000, {}, 'decoding them adds about 0.8 s and 896 MB to loading the model'],
  [
    'multipliers on the web',
    8000,
    { target: 'web' },
    'decoding them adds about 3.0 s and 1088 MB to loading the model',
  ],
  ['folded', 8000, { form: 'folded' }, 'decoding them adds about 0.8 s and 1472 MB to loading the model'],
  ['too many multipliers', 12300, {}, `151290000 ${exceeds(150e6, 'nbits', 'multipliers')}`],
  [
    ...['too many floats on the web', 10100, { target: 'web', asymmetric: true }],
    `102010000 ${exceeds(100e6, 'int8', 'folded')}`,
  ] as [string, number, QuantizeOptions, string],
  [
    ...['such a form on demand', 10100, { target: 'web', form: 'folded' }],
    '102010000 of them may not fit the 4 GiB of WebAssembly',
  ] as [string, number, QuantizeOptions, string],
])('%s', async (_, side, options, note) => {
  expect(await notesOf(side, options)).toContain(note);
});

test('a form that is not decoded has no limit', async () => {
  const notes = await notesOf(12300, { target: 'mobile' });
  expect(notes.filter((one) => /exceed|decod/.test(one) && !one.includes('optimization level'))).toEqual([]);
});
