import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import onnxProto from 'onnx-proto';
import { compressEach, fixture, folder, oneLine, ROOT } from '../support/cli.ts';
import { compress } from '../support/resident.ts';

const { ModelProto } = onnxProto.onnx;

const MODELS = ['.', 'edge'].flatMap((sub) =>
  readdirSync(join(ROOT, 'fixtures', sub))
    .filter((name) => name.endsWith('.onnx'))
    .map((name) => fixture(join(sub, name))),
);

describe('copy is byte for byte', () => {
  const cwd = folder();
  const results = compressEach(
    MODELS.map((path) => ['copy', '-q', path, '-o', basename(path)]),
    { cwd },
  );

  test.each(MODELS.map((path, index) => [basename(path), path, results[index]] as const))(
    '%s',
    (name, path, result) => {
      expect(result).toMatchObject({ code: 0, stderr: '' });
      expect(readFileSync(join(cwd, name)).equals(readFileSync(path))).toBe(true);
    },
  );

  test('with external data, under its name', () => {
    const data = 'external-data.onnx.data';
    expect(readFileSync(join(cwd, data)).equals(readFileSync(fixture(`edge/${data}`)))).toBe(true);
    expect(readdirSync(cwd).filter((name) => !MODELS.some((path) => basename(path) === name))).toEqual([data]);
  });
});

test('a second model with a data file of the same name is refused, and each hint works', () => {
  const cwd = folder();
  const [data, model] = ['external-data.onnx.data', fixture('edge/external-data.onnx')];
  const theirs = new Uint8Array(readFileSync(fixture(`edge/${data}`))).map((byte) => byte ^ 1);
  writeFileSync(join(cwd, data), theirs);
  const line = ['copy', '-q', model, '-o', 'b.onnx'];
  const [refused] = compressEach([line], { cwd });
  expect(refused?.code).toBe(1);
  expect(oneLine(refused?.stderr ?? '')).toBe(
    `error: ${join(cwd, data)}: the file already exists and may belong to another model An unchanged model keeps the names of its data files. Write it to another folder, or store its weights in b.onnx.data (--external-data) or in the model (--embed). --force replaces the file for every model that reads it. `,
  );
  expect(readdirSync(cwd)).toEqual([data]);
  const ways = compressEach(
    [
      [...line, '--external-data'],
      [...line, '--embed', '--force'],
    ],
    { cwd },
  );
  expect(ways).toMatchObject([
    { code: 0, stderr: '' },
    { code: 0, stderr: '' },
  ]);
  expect(readdirSync(cwd).sort()).toEqual(['b.onnx', 'b.onnx.data', data]);
  expect(readFileSync(join(cwd, data)).equals(theirs)).toBe(true);
  expect(compressEach([[...line, '--force']], { cwd })).toMatchObject([{ code: 0, stderr: '' }]);
  expect(readFileSync(join(cwd, data)).equals(readFileSync(fixture(`edge/${data}`)))).toBe(true);
});

test('--external-data and --embed round trip', () => {
  const cwd = folder();
  const mlp = fixture('digits-mlp.onnx');
  const out = compress(['copy', '--external-data', mlp, '-o', 'm.onnx'], { cwd });
  expect(out.code).toBe(0);
  expect(out.stderr).toContain(`weights in ${join(cwd, 'm.onnx.data')}`);
  expect(readdirSync(cwd).sort()).toEqual(['m.onnx', 'm.onnx.data']);
  expect(readFileSync(join(cwd, 'm.onnx')).length).toBeLessThan(5000);
  const results = compressEach(
    [
      ['copy', '--embed', 'm.onnx', '-o', 'back.onnx'],
      ['copy', '--external-data', 'back.onnx', '-o', 'again.onnx'],
    ],
    { cwd },
  );
  expect(results.map((one) => one.code)).toEqual([0, 0]);
  // Not byte for byte, because moved tensors are re-encoded: onnx-proto reads the same from both.
  const read = (path: string) =>
    ModelProto.toObject(ModelProto.decode(readFileSync(path)), { defaults: true, longs: String });
  expect(read(join(cwd, 'back.onnx'))).toEqual(read(mlp));
  expect(readFileSync(join(cwd, 'again.onnx.data'))).toEqual(readFileSync(join(cwd, 'm.onnx.data')));
});

test('--set fixes an input and --dedupe merges equal tensors', () => {
  const cwd = folder();
  const model = fixture('digits-mlp.onnx');
  const [set, wrong, dedupe] = compressEach(
    [
      ['copy', '--set', `input=${JSON.stringify([new Array(64).fill(0)])}`, model, '-o', 'set.onnx'],
      ['copy', '--set', 'picture=0', model, '-o', 'wrong.onnx'],
      ['copy', '--dedupe', model, '-o', 'dedupe.onnx'],
    ],
    { cwd },
  );
  expect(set).toMatchObject({ code: 0 });
  expect(set?.stderr).toContain("'input' is now a constant, float32 [1, 64]");
  expect(wrong?.code).toBe(2);
  expect(wrong?.stderr).toContain("--set: the model has no input 'picture'");
  expect(dedupe).toMatchObject({ code: 0 });
  expect(dedupe?.stderr).toContain('no two tensors are equal');
  expect(readFileSync(join(cwd, 'dedupe.onnx')).equals(readFileSync(model))).toBe(true);
});
