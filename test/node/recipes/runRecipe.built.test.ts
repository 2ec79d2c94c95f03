import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { bytesSink, parseRecipe, type Recipe, readModel, runRecipe, writeModel } from '../../../src/index.node.ts';
import { compress, fixture, folder, ROOT } from '../../support/cli.ts';

const CNN = fixture('digits-cnn-bn.onnx');
const CALIB = 'digits-cnn-bn-calib.npz';

async function run(model: string, recipe: Recipe, options: Parameters<typeof runRecipe>[2] = {}): Promise<Uint8Array> {
  await using opened = await readModel(model);
  await runRecipe(opened, recipe, options);
  const sink = bytesSink();
  await writeModel(opened, sink);
  return sink.bytes();
}

/** The recipe that docs/recipes.md shows. */
function documented(): string {
  const page = readFileSync(join(ROOT, 'docs/recipes.md'), 'utf8');
  return /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
}

test('the recipe of the docs gives the same bytes as onnx-compress run, and reports progress', async () => {
  const path = join(folder(), 'recipe.json');
  writeFileSync(path, documented());
  copyFileSync(fixture(CALIB), join(dirname(path), CALIB));
  const output = join(dirname(path), 'small.onnx');
  expect(compress(['run', path, CNN, '-o', output, '-q']).code).toBe(0);
  const told = new Set<string>();
  const onProgress = (pass: string): void => void told.add(pass);
  const found = await run(CNN, parseRecipe(documented(), path), { base: dirname(path), onProgress });
  expect(Buffer.from(found).equals(readFileSync(output))).toBe(true);
  expect([...told]).toEqual(expect.arrayContaining(['prune', 'calibrating']));
});

test('steps are checked before the first one runs, and named by key', async () => {
  const wrong = {
    steps: [
      { verb: 'fold', options: new Map() },
      { verb: 'prune', options: new Map([['l1', 1.4]]) },
    ],
  };
  await expect(run(CNN, wrong)).rejects.toThrow(/^steps\[1\] 'prune': l1: 1.4 is neither a fraction below 1/);
});

test('a step that changes nothing is an error without allowUnchanged', async () => {
  const options = new Map<string, string | boolean>([['exclude', '.']]);
  const recipe = { steps: [{ verb: 'quantize', options }] };
  await expect(run(CNN, recipe)).rejects.toThrow(/^steps\[0\] 'quantize': quantize found nothing to change/);
  options.set('allowUnchanged', true);
  const untouched = await run(CNN, recipe, { metadata: false });
  expect(Buffer.from(untouched).equals(readFileSync(CNN))).toBe(true);
});

test('a form that applies to nothing is a note of its pass, not an error', async () => {
  const options = new Map<string, number | string>([
    ['l1', 0.01],
    ['store', 'bitmask'],
  ]);
  expect(await run(CNN, { steps: [{ verb: 'prune', options }] })).toBeInstanceOf(Uint8Array);
});

test('a pattern that matches nothing is noted with key and step', async () => {
  const prune = { verb: 'prune', options: new Map<string, number | string>([['l1', 0.1]]).set('exclude', 'nowhere') };
  await using opened = await readModel(CNN);
  const [report] = await runRecipe(opened, { steps: [prune] }, { metadata: false });
  expect(report?.notes).toEqual(["steps[0] 'prune': `exclude: nowhere` matches no weight and no node"]);
});
