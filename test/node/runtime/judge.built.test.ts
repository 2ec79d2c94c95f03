import { expect, test } from '@jest/globals';
import { openData } from '../../../src/node/data/open.ts';
import type { DataSet } from '../../../src/node/data/types.ts';
import { openJudge } from '../../../src/node/runtime/judge.ts';
import { verify } from '../../../src/node/runtime/verify.ts';
import { compress, fixture, folder } from '../../support/cli.ts';

const FLOAT = fixture('digits-mlp.onnx');
const DATA = fixture('digits-mlp-test.npz');
const cwd = folder();
const small = `${cwd}/small.onnx`;
const smaller = `${cwd}/smaller.onnx`;
compress(['quantize', FLOAT, '-o', small, '-q']);
compress(['quantize', '--per-tensor', FLOAT, '-o', smaller, '-q']);

test.each([
  ['all of the reference kept', 1 << 30],
  ['the first few samples kept', 1000],
  ['nothing kept', 0],
])('the same figures as verify, one model after the other: %s', async (_, cacheBytes) => {
  let opened = 0;
  const dataFor = async (inputs: Parameters<typeof openData>[1]): Promise<DataSet> => {
    opened++;
    return openData(DATA, inputs, { batch: 50 });
  };
  const judge = await openJudge(FLOAT, dataFor, { cacheBytes });
  try {
    for (const path of [small, smaller, small, FLOAT]) {
      const { outputs, samples, ms } = await judge.judge(path);
      const expected = await verify(FLOAT, path, (inputs) => openData(DATA, inputs, { batch: 50 }));
      expect(outputs).toEqual(expected.outputs);
      expect(samples).toBe(expected.samples);
      expect(ms).toBeGreaterThan(0);
    }
    expect(opened).toBe(1);
    expect(judge.data).toContain('digits-mlp-test.npz');
  } finally {
    await judge.close();
  }
});

test('models that cannot be compared, data without samples and missing files are refused', async () => {
  const data = (inputs: Parameters<typeof openData>[1]) => openData(DATA, inputs);
  await expect(openJudge(`${cwd}/none.onnx`, data)).rejects.toMatchObject({ code: 'io' });
  const judge = await openJudge(FLOAT, data);
  await expect(judge.judge(fixture('digits-vit.onnx'))).rejects.toMatchObject({ code: 'unsupported' });
  await expect(judge.judge(fixture('README.md'))).rejects.toMatchObject({ code: 'runtime' });
  await judge.close();
  const empty = { description: 'nothing', async *samples() {} } as DataSet;
  const none = await openJudge(FLOAT, () => empty);
  await expect(none.judge(FLOAT)).rejects.toMatchObject({ code: 'data' });
  await none.close();
});
