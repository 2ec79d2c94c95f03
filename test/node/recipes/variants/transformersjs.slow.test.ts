/** The written files load in transformers.js by dtype, and compute what the model computes. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { variants } from '../../../../src/node/recipes/variants/index.ts';
import { VARIANT_DTYPES, type VariantDtype } from '../../../../src/options/variants.ts';
import { dataFile, variantFile } from '../../../../src/passes/variants/names.ts';
import { buildModel, type ModelSpec } from '../../../support/build.ts';
import { type Child, startChild } from '../../../support/child.ts';
import { openRuntime, type Runtime } from '../../../support/runtimes.ts';
import { CONFIGS, decoderSpec, encoderSpec } from '../../../support/transformers.ts';

/** A request to transformers.js. */
interface Request {
  readonly folder: string;
  readonly dtype: string;
  readonly kind: 'encoder' | 'decoder';
  readonly rows: readonly (readonly number[])[];
}
interface Answer {
  readonly outputs?: Float32Array;
  readonly text?: readonly number[];
  readonly error?: string;
}

const ROWS = [
  [5, 17, 33, 150, 2, 88, 64, 9],
  [101, 3, 3, 47, 120, 11, 76, 30],
];
const ids = (of: (id: number) => number): Tensor =>
  new Tensor(
    'int64',
    BigInt64Array.from(ROWS.flat(), (id) => BigInt(of(id))),
    [ROWS.length, 8],
  );
const FEEDS = { input_ids: ids((id) => id), attention_mask: ids(() => 1), token_type_ids: ids(() => 0) };
/** The SQNR that each dtype keeps for models with random weights; trained ones keep more. */
const LEAST: { readonly [dtype in VariantDtype]: number } = {
  fp32: 120,
  fp16: 50,
  q8: 28,
  int8: 28,
  uint8: 28,
  q4: 15,
  q4f16: 15,
};

let folder: string;
let child: Child<Request, Answer>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'variants-'));
  child = startChild('transformersChild.mjs');
});
afterAll(async () => {
  await child.close();
  await rm(folder, { recursive: true });
});

async function exported(kind: 'encoder' | 'decoder', spec: ModelSpec): Promise<string> {
  const path = join(folder, kind);
  await mkdir(join(path, 'onnx'), { recursive: true });
  await writeFile(join(path, 'onnx', 'model.onnx'), buildModel(spec));
  await writeFile(join(path, 'config.json'), JSON.stringify(CONFIGS[kind], undefined, 2));
  return path;
}

async function ask(folder: string, dtype: string, kind: Request['kind']): Promise<Answer & { outputs: Float32Array }> {
  const answer: Answer = await child.ask({ folder, dtype, kind, rows: ROWS });
  if (answer.outputs === undefined) throw new Error(answer.error);
  return { ...answer, outputs: answer.outputs };
}

function sqnr(right: Float32Array, other: Float32Array): number {
  expect(other.length).toBe(right.length);
  const noise = right.reduce((sum, one, index) => sum + (one - (other[index] ?? 0)) ** 2, 0);
  return 10 * Math.log10(right.reduce((sum, one) => sum + one * one, 0) / noise);
}

describe.each([
  ['encoder', encoderSpec()],
  ['decoder', decoderSpec()],
] as const)('%s', (kind, spec) => {
  describe.each([
    ['in one file', {}],
    ['with external data', { externalData: true }],
    ['with data files in chunks', { externalData: true, chunkBytes: 40_000 }],
  ])('%s', (name, settings) => {
    let output: string;
    let float: Answer & { outputs: Float32Array };
    beforeAll(async () => {
      const input = await exported(kind, spec);
      output = join(folder, `${kind} ${name}`.replaceAll(' ', '-'));
      const made = await variants(input, { output, dtypes: VARIANT_DTYPES, check: false, ...settings });
      expect(made.failures).toEqual([]);
      float = await ask(input, 'fp32', kind);
    });

    test.each(VARIANT_DTYPES)('%s is loaded by transformers.js, and computes the same as float', async (dtype) => {
      const found = await ask(output, dtype, kind);
      expect(sqnr(float.outputs, found.outputs)).toBeGreaterThan(LEAST[dtype]);
      if (dtype === 'fp32') expect(found.text).toEqual(float.text);
    });

    test('config.json gives the number of data files of each model', async () => {
      const config = JSON.parse(await readFile(join(output, 'config.json'), 'utf8')) as Record<string, unknown>;
      const there = await readdir(join(output, 'onnx'));
      const told = (config['transformers.js_config'] ?? {}) as { use_external_data_format?: Record<string, number> };
      const counts = there
        .filter((one) => one.endsWith('.onnx'))
        .map((file) => [file, there.filter((one) => one.startsWith(`${file}_data`)).length] as const);
      expect(told.use_external_data_format ?? {}).toEqual(Object.fromEntries(counts.filter(([, count]) => count > 0)));
      expect(counts).toHaveLength(VARIANT_DTYPES.length);
    });
  });
});

describe.each([
  [
    'wasm',
    'with data files given under the names that transformers.js makes',
    { externalData: true, chunkBytes: 60_000 },
  ],
  ['node 1.21', 'which is in version 3', {}],
] as const)('%s, %s', (runtime, _, settings) => {
  let output: string;
  let other: Runtime;
  beforeAll(async () => {
    output = join(folder, `for-${runtime.replaceAll(/\W/g, '-')}`);
    const input = await exported('encoder', encoderSpec());
    await variants(input, { output, dtypes: VARIANT_DTYPES, check: false, ...settings });
    other = openRuntime(runtime);
  });
  afterAll(() => other.close());

  const run = async (dtype: VariantDtype): Promise<Float32Array> => {
    const file = variantFile('model', dtype);
    const names = (await readdir(join(output, 'onnx'))).filter((name) => name.startsWith(`${file}_data`));
    const read = async (name: string): Promise<Uint8Array> =>
      new Uint8Array(await readFile(join(output, 'onnx', name)));
    const given = names.map((_, index) => dataFile(file, index));
    const externalData = await Promise.all(given.map(async (path) => ({ path, data: await read(path) })));
    const found = await other.run(await read(file), FEEDS, externalData.length === 0 ? {} : { externalData });
    return found['last_hidden_state']?.data as Float32Array;
  };

  test.each(VARIANT_DTYPES)('%s runs', async (dtype) => {
    expect(sqnr(await run('fp32'), await run(dtype))).toBeGreaterThan(LEAST[dtype]);
  });
});
