/** `tune` of the library refuses what `onnx-compress tune` refuses, with the same sentences. */
import { expect, test } from '@jest/globals';
import { type TuneOptions, tune } from '../../../../src/index.node.ts';
import { tuneValues } from '../../../../src/node/recipes/tune/options.ts';
import { quantizeStep } from '../../../../src/node/recipes/tune/tuned.ts';
import { fixture } from '../../../support/cli.ts';

const MLP = fixture('digits-mlp.onnx');
const data = fixture('digits-mlp-test.npz');

test.each<[object | undefined, string]>([
  [undefined, 'tune: expects options; nothing was given'],
  [{}, 'data: no data is given to measure accuracy'],
  [{ data, maxdrop: 0.1 }, "tune: there is no option 'maxdrop'. Did you mean 'maxDrop'?"],
  [{ data, output: 'x' }, "tune: there is no option 'output'."],
  [{ data, saveRanges: 'x' }, "tune: there is no option 'saveRanges'."],
  [{ data, maxDrop: '1%' }, 'maxDrop: expects a number; a string was given'],
  [{ data, maxDrop: 2 }, 'maxDrop: 2 is neither a percentage nor a fraction below 1'],
  [{ data, maxDrop: 0.1, minSqnr: 3 }, '`maxDrop` and `minSqnr` cannot be used together'],
  [{ data, metric: 'f1' }, 'metric: \'f1\' is not one of "accuracy", "top1", "sqnr"'],
  [{ data, metric: 'sqnr' }, 'minSqnr: the metric is sqnr, and no limit is given'],
  [{ data, metric: 'sqnr', maxDrop: 0.1 }, 'maxDrop: the metric is sqnr; its limit is `minSqnr`'],
  [{ data, judge: 'loss' }, "judge: the model has no output 'loss'"],
  [{ data, maxTrials: 0 }, 'maxTrials: it must be at least 1'],
  [{ data, dtype: 'int4' }, 'dtype: \'int4\' is not one of "int8", "uint8"'],
  [{ data, calibrate: 'a.npz', ranges: 'r.json' }, '`calibrate` and `ranges` cannot be used together'],
  [{ data, exclude: 'fc1' }, 'exclude: expects a list of regular expressions; a string was given'],
  [{ data, exclude: [/FC1/i] }, 'exclude: /FC1/i has the flag i, which a recipe cannot store'],
  [{ data, exclude: [/fc]/] }, "exclude: 'fc]' is not a regular expression"],
  [{ data, opTypes: ['Relu'] }, "opTypes: 'Relu' is not an operator with supported weights"],
  [{ data, onProgress: true }, 'onProgress: expects a function; a boolean was given'],
  [{ data: 'none.npz' }, 'none.npz: no such file'],
])('tune refuses %j', async (options, message) => {
  await expect(tune(MLP, options as TuneOptions)).rejects.toThrow(message);
});

test('tune refuses a model that is not a path, and one without layers to quantize', async () => {
  await expect(tune(new Uint8Array(1) as never, { data })).rejects.toThrow('model: expects text; an object was given');
  await expect(tune(MLP, { data, exclude: [/./] })).rejects.toMatchObject({
    code: 'nothing_to_do',
    message: expect.stringMatching(/digits-mlp\.onnx: quantize found nothing to change; fc1\.weight: /),
    hint: 'There is nothing to tune.',
  });
});

test('tune refuses an invalid step before it opens the model', async () => {
  const options: TuneOptions = { data, calibrate: 'a.npz', dtype: 'uint8' };
  await expect(tune('none.onnx', options)).rejects.toThrow('uint8: static quantization uses int8 weights');
});

test('an aborted signal ends the search', async () => {
  const control = new AbortController();
  const done: number[] = [];
  const onProgress = (one: number): void => {
    done.push(one);
    if (one === 2) control.abort(new Error('enough'));
  };
  const search = tune(MLP, { data, batch: 100, minSqnr: 300, onProgress, signal: control.signal });
  await expect(search).rejects.toThrow('enough');
  expect(done).toEqual([1, 2]);
});

test('options of the library become options of a recipe', () => {
  const options: TuneOptions = {
    ...{ data, batch: 8, dtype: 'uint8', exclude: [/^fc1/u], opTypes: ['MatMul'] },
    ...{ calibrate: 'c.npz', calibrateSamples: 64, biasCorrection: false, perTensor: true, store: 'auto' },
  };
  const { verb, options: found } = quantizeStep(tuneValues('m.onnx', options));
  expect([verb, Object.fromEntries(found)]).toEqual([
    'quantize',
    {
      ...{ uint8: true, perTensor: true, calibrate: 'c.npz', samples: 64, batch: 8, noBiasCorrection: true },
      ...{ opTypes: ['MatMul'], exclude: ['^fc1'], store: 'auto' },
    },
  ]);
  const plain = quantizeStep(tuneValues('m.onnx', { data, dtype: 'int8', biasCorrection: true, perTensor: false }));
  expect(Object.fromEntries(plain.options)).toEqual({});
});
