/** Every verb accepts a model from the Hugging Face cache: links to model and data files elsewhere. */
import { copyFileSync, lstatSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { compress, fixture, folder, shell, subfolder } from '../support/cli.ts';

const DATA = 'external-data.onnx.data';
let home: string;
let snapshot: string;
beforeAll(() => {
  home = folder();
  const blobs = subfolder(home, 'blobs');
  snapshot = subfolder(home, 'snapshot');
  copyFileSync(fixture('edge/external-data.onnx'), join(blobs, 'aaaa'));
  copyFileSync(fixture(`edge/${DATA}`), join(blobs, 'bbbb'));
  symlinkSync('../blobs/aaaa', join(snapshot, 'model.onnx'));
  symlinkSync('../blobs/bbbb', join(snapshot, DATA));
});

test('through a pipe it gives the same as a single file', () => {
  const line = 'onnx-compress prune -q --l1 0.4 "$MODEL" | onnx-compress quantize -q';
  const [linked, plain] = [join(snapshot, 'model.onnx'), fixture('edge/external-data.onnx')].map((MODEL) =>
    shell(line, { env: { MODEL } }),
  );
  expect([linked?.stderr, linked?.code]).toEqual(['', 0]);
  expect(linked?.stdout.equals(plain?.stdout as Buffer)).toBe(true);
});

test('inspect, verify, bench and verbs that write beside it work, and the cache does not change', () => {
  const before = readdirSync(snapshot);
  for (const args of [
    ['inspect', 'model.onnx'],
    ['quantize', 'model.onnx', '-o', '../small.onnx'],
    ['quantize', 'model.onnx', '-o', 'small.onnx'],
    ['copy', 'model.onnx', '-o', 'copy.onnx', '--embed'],
    ['diff', 'model.onnx', 'copy.onnx'],
    ['verify', 'model.onnx', 'small.onnx'],
    ['bench', 'model.onnx', 'small.onnx', '--runs=1', '--warmup=0'],
  ]) {
    const { stderr, code } = compress(args, { cwd: snapshot });
    expect([args, stderr, code]).toEqual([args, expect.not.stringContaining('error'), 0]);
  }
  expect(readdirSync(snapshot)).toEqual([...before, 'copy.onnx', 'small.onnx', 'small.onnx.data'].sort());
  expect(lstatSync(join(snapshot, DATA)).isSymbolicLink()).toBe(true);
  expect(readFileSync(join(home, 'blobs/bbbb'))).toEqual(readFileSync(fixture(`edge/${DATA}`)));
});
