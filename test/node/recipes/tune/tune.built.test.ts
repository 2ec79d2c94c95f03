/** `tune` of the library finds the same as `onnx-compress tune`, and its recipe makes the model that was judged. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { transformSync } from 'esbuild';
import {
  readModel,
  runRecipe,
  type TuneOptions,
  type TuneTrial,
  tune,
  writeModel,
} from '../../../../src/index.node.ts';
import { compress, fixture, folder, ROOT } from '../../../support/cli.ts';

const CASES: readonly { model: string; options: TuneOptions & { readonly data: string }; flags: readonly string[] }[] =
  [
    {
      model: fixture('digits-mlp.onnx'),
      options: { data: fixture('digits-mlp-test.npz'), batch: 100, minSqnr: 47, exclude: [/conv9/] },
      flags: ['--min-sqnr', '47', '--exclude', 'conv9', '--batch', '100'],
    },
    {
      model: fixture('digits-cnn-bn.onnx'),
      options: {
        ...{ data: fixture('digits-cnn-bn-test.npz'), batch: 50, samples: 300, minSqnr: 43.5 },
        ...{ calibrate: fixture('digits-cnn-bn-calib.npz'), calibrateSamples: 64 },
      },
      flags: [
        ...['--min-sqnr', '43.5', '--batch', '50', '--samples', '300'],
        ...['--calibrate', fixture('digits-cnn-bn-calib.npz'), '--calibrate-samples', '64'],
      ],
    },
  ];

test.each(CASES)(
  'gives the selection and the bytes of onnx-compress tune: $flags',
  async ({ model, options, flags }) => {
    const cwd = folder();
    const output = join(cwd, 'cli.onnx');
    const done = compress(['tune', model, '--data', options.data, ...flags, '-o', output, '--json', '-q']);
    expect(done).toMatchObject({ code: 0, stderr: '' });
    const told: [number, number][] = [];
    const found = await tune(model, { ...options, onProgress: (...one) => void told.push(one) });
    const figures = ({ rows, change, ms, ...one }: TuneTrial): object => one;
    const { best, trials, ranking, layers, notes, ...cli } = JSON.parse(done.stdout.toString());
    const untimed = ({ ms, ...one }: TuneTrial): object => one;
    expect(found.best && figures(found.best)).toEqual(untimed(best));
    expect(found.trials.map(figures)).toEqual(trials.map(untimed));
    expect(found).toMatchObject({ ranking, layers, metric: cli.name, minSqnr: options.minSqnr, cutShort: false });
    expect(found.notes.map((one) => one.replace(/^`(\w+): (.*)`/, '--$1 $2'))).toEqual(notes);
    expect(told.at(-1)).toEqual([trials.length, trials.length]);

    if (found.recipe === undefined) throw new Error('no recipe');
    const path = join(cwd, 'library.onnx');
    await using opened = await readModel(model);
    await runRecipe(opened, found.recipe);
    await writeModel(opened, path);
    expect(readFileSync(path).equals(readFileSync(output))).toBe(true);
  },
);

test('if nothing is good enough there is no recipe; counts and losses are numbers', async () => {
  const data = fixture('digits-mlp-test.npz');
  const none = await tune(fixture('digits-mlp.onnx'), { data, batch: 100, minSqnr: 300 });
  expect(none).toMatchObject({ best: undefined, recipe: undefined, metric: 'sqnr', minSqnr: 300 });
  expect(none.trials).toHaveLength(5);
  const { best, float, maxDrop } = await tune(fixture('digits-mlp.onnx'), { data, batch: 100 });
  expect(maxDrop).toBe(0.01);
  const [right, all] = [best?.rows?.count ?? 0, best?.rows?.of ?? 0];
  expect([all, best?.value, float.change]).toEqual([600, right / all, 0]);
  expect(best?.change).toBe((right - (float.rows?.count ?? 0)) / all);
});

/** The first example of a page, or of a documentation comment. */
const EXAMPLES: readonly [path: string, example: RegExp, imports: string][] = [
  ['docs/tune.md', /```js\n([\s\S]*?)```/, ''],
  [
    'src/node/recipes/tune/index.ts',
    /@example\n([\s\S]*?) \*\//,
    "import { readModel, runRecipe, tune, writeModel } from 'onnx-compress';\n",
  ],
];

test.each(EXAMPLES)('the example of %s runs unchanged', (path, example, imports) => {
  const cwd = folder();
  const text = example.exec(readFileSync(join(ROOT, path), 'utf8'))?.[1] ?? '';
  mkdirSync(join(cwd, 'node_modules'));
  symlinkSync(ROOT, join(cwd, 'node_modules/onnx-compress'));
  copyFileSync(fixture('digits-mlp.onnx'), join(cwd, 'model.onnx'));
  copyFileSync(fixture('digits-mlp-test.npz'), join(cwd, 'val.npz'));
  // `await using` is newer than the oldest Node.
  const { code } = transformSync(imports + text.replaceAll(/^ \* /gm, ''), { target: 'es2022', format: 'esm' });
  writeFileSync(join(cwd, 'example.mjs'), code);
  const ran = spawnSync(process.execPath, ['example.mjs'], { cwd, encoding: 'utf8' });
  expect([ran.status, ran.stderr]).toEqual([0, '']);
  expect(readFileSync(join(cwd, 'small.onnx')).byteLength).toBeLessThan(60_000);
});
