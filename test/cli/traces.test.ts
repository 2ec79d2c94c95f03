import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { compress, fixture, folder, subfolder } from '../support/cli.ts';

test('running a model leaves nothing in the home or temporary folder, and sends no telemetry', () => {
  const cwd = folder();
  const [home, tmp] = ['home', 'tmp'].map((name) => subfolder(cwd, name)) as [string, string];
  // ONNX Runtime keeps a telemetry file if telemetry is on; variables of CI systems would turn it off too.
  const env = { HOME: home, TMPDIR: tmp, XDG_CACHE_HOME: join(home, '.cache'), CI: '', ORT_RUNNING_UNIT_TESTS: '' };
  const model = fixture('digits-cnn-bn.onnx');
  const done = compress(['quantize', '--calibrate', 'random', model, '-o', 'q.onnx'], { cwd, env });
  expect(done).toMatchObject({ code: 0 });
  expect(readdirSync(home)).toEqual([]);
  expect(readdirSync(tmp)).toEqual([]);
  expect(readdirSync(cwd).sort()).toEqual(['home', 'q.onnx', 'tmp']);
});
