/** What `transform` reports, and what calibrated quantization refuses before a model is read. */
import { expect, test } from '@jest/globals';
import { calibratedQuantize, checkedChannels, quantize, readModel, transform } from '../../src/index.node.ts';

const MLP = new URL('../../fixtures/digits-mlp.onnx', import.meta.url);
const anything = (value: unknown): never => value as never;

test('transform reports the progress of each pass', async () => {
  await using model = await readModel(MLP);
  const seen: [string, number, number][] = [];
  const reports = await transform(model, [quantize()], {
    onProgress: (pass, done, total) => seen.push([pass, done, total]),
  });
  expect(reports.map((one) => one.pass)).toEqual(['quantize']);
  expect(seen.at(-1)).toEqual(['quantize', 3, 3]);
  await expect(transform(model, [], anything({ onprogress: () => {} }))).rejects.toThrow("Did you mean 'onProgress'?");
});

test.each<[object, string]>([
  [{}, 'data: is required for calibration'],
  [{ data: 'a.npz', ranges: 'r.json' }, '`ranges` and `data` cannot be used together'],
  [{ ranges: 'r.json', saveRanges: 's.json' }, '`ranges` and `saveRanges` cannot be used together'],
  [{ data: 'a.npz', samples: 0 }, 'samples: it must be at least 1'],
  [{ data: 'a.npz', observer: 'best' }, 'observer: \'best\' is not one of "minmax"'],
  [{ calibrate: 'a.npz' }, "calibratedQuantize: there is no option 'calibrate'."],
])('calibratedQuantize refuses %j', (options, message) => {
  expect(() => calibratedQuantize({}, anything(options))).toThrow(message);
});

test('calibratedQuantize has the defaults of the command line, and checkedChannels refuses what it refuses', async () => {
  await using model = await readModel(MLP);
  const [report] = await transform(model, calibratedQuantize({}, { data: 'random' }));
  expect(report?.changes).toHaveLength(3);
  expect(report?.notes).toContainEqual(expect.stringContaining('observer minmax'));
  expect(() => checkedChannels({ amount: 3 })).toThrow('amount: 3 is not a fraction between 0 and 1');
  expect(() => checkedChannels({ amount: 0.3 }, anything({ samples: 'x' }))).toThrow('samples: expects a number');
});
