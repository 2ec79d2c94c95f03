import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import yargs from 'yargs';
import { chosenBy } from '../../src/cli/chosen.ts';
import { yargsCommand } from '../../src/cli/command.ts';
import { type DataSources, verifyCommand } from '../../src/cli/commands/verify.ts';
import { endJson } from '../../src/cli/json/write.ts';
import type { CompressError } from '../../src/errors.ts';
import { openData } from '../../src/node/data/open.ts';
import type { Sample } from '../../src/node/data/types.ts';
import type { VerifyValues } from '../../src/options/measure.ts';
import { buildModel, f32, type ModelSpec } from '../support/build.ts';
import { fixture, folder } from '../support/cli.ts';
import { checkDocument } from '../support/documents.ts';
import { compress } from '../support/resident.ts';

const MLP = fixture('digits-mlp.onnx');
const DATA = fixture('digits-mlp-test.npz');
const cwd = folder();

/** One sample of ones for a single input of rank 2, and a record of the requests. */
const asked: unknown[] = [];
const sources: DataSources = {
  openData,
  randomData(inputs, options) {
    asked.push(options);
    const [input] = inputs;
    if (input?.dims === undefined) throw new Error('no input');
    const width = input.dims.at(-1) as number;
    const feeds = {
      [input.name]: { dtype: 'float32' as const, dims: [1, width], data: new Float32Array(width).fill(1) },
    };
    return {
      description: 'random inputs',
      async *samples(): AsyncIterable<Sample> {
        yield { label: 'random', feeds };
      },
    };
  },
};

interface Ran {
  readonly stdout: string;
  readonly error: CompressError | undefined;
}

async function run(...args: string[]): Promise<Ran> {
  let stdout = '';
  const stream = { columns: 120, write: (text: string) => (stdout += text) } as unknown as NodeJS.WriteStream;
  let error: CompressError | undefined;
  const command = verifyCommand({ stdout: stream }, false, sources);
  const parser = yargs(['verify', ...args])
    .command(
      yargsCommand(command, { stderr: stream }, async (told) =>
        command.run((await told.valuesFor(undefined)) as VerifyValues),
      ),
    )
    .strict()
    .exitProcess(false)
    .fail((message, cause) => {
      throw cause ?? new Error(message);
    });
  const chosen = await chosenBy(() => parser.parseAsync());
  await Promise.resolve()
    .then(() => chosen?.run())
    .catch((cause: CompressError) => {
      error = cause;
    });
  endJson(stream);
  checkDocument(['verify', ...args], stdout);
  return { stdout, error };
}

function written(name: string, axis: number | undefined): string {
  const weight = { dtype: 'int8', dims: [32, 32], data: new Int8Array(1024).map((_, index) => index % 7) } as const;
  const quantized: ModelSpec = {
    ...{ opset: 21, irVersion: 10, inputs: { x: f32(['N', 32]) }, outputs: { y: f32(['N', 32]) } },
    nodes: [
      { op: 'DequantizeLinear', in: ['w', 's'], out: ['wf'], attributes: { axis: axis ?? 1 } },
      { op: 'MatMul', in: ['x', 'wf'], out: ['y'], name: 'layers.0/MatMul' },
    ],
    initializers: { w: weight, s: f32([32], new Float32Array(32).fill(0.5)) },
  };
  const path = join(cwd, name);
  writeFileSync(path, buildModel(quantized));
  return path;
}

test('a model compared with itself has infinite SQNR, equal accuracy, and passes the gates', async () => {
  const gates = ['--min-sqnr', '100', '--min-top1', '1', '--require-fused'];
  const { stdout, error } = await run(MLP, MLP, '--data', DATA, '--batch', '64', ...gates);
  expect(error).toBeUndefined();
  expect(stdout).toMatch(/\n {2}output +type +SQNR +cosine +max error +top-1 +accuracy\n/);
  expect(stdout).toMatch(/ float32 +∞ +1\.000000 +0 +100\.0 % +9\d\.\d % → 9\d\.\d %\n/);
  expect(stdout).toMatch(/\n {2}kernel +nodes\n/);
  expect(stdout).not.toContain('Random inputs');
});

test('feeds one row at a time by default; larger batches lower only the figures of dynamic quantization', async () => {
  const figures = async (name: string, ...args: string[]): Promise<number[]> => {
    const path = join(cwd, name);
    const made = compress(['quantize', ...args, MLP, '-o', path, '-q']);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const sizes = [[], ['--batch', '1'], ['--batch', '600']];
    const found: number[] = [];
    for (const size of sizes) {
      const { stdout } = await run(MLP, path, '--data', DATA, '--json', ...size);
      found.push(JSON.parse(stdout).outputs[0].sqnr);
    }
    return found;
  };
  const [usual = 0, one = 0, all = 0] = await figures('dynamic.onnx', '--int8', '--min-elements', '0');
  expect(usual).toBe(one);
  expect(one - all).toBeGreaterThan(0.5);
  const [, row = 0, rows = 0] = await figures('stored.onnx', '--weights-only');
  expect(Math.abs(row - rows)).toBeLessThan(0.01);
});

test('finds an axis of −1: the table names the node, and --require-fused fails after the report', async () => {
  const [good, bad] = [written('good.onnx', 1), written('bad.onnx', -1)];
  const { stdout, error } = await run(good, bad, '--require-fused');
  expect(stdout).toContain('1 weight dequantized at every run');
  expect(stdout).toMatch(/\n {2}w +MatMul +layers\.0\/MatMul +axis -1; it must not be negative: 1\n$/);
  expect(error).toMatchObject({ code: 'gate', where: bad });
  expect(error?.message).toContain("weight 'w' is dequantized at every run for MatMul 'layers.0/MatMul'");
  expect((await run(good, good, '--require-fused')).error).toBeUndefined();
});

test('without data the inputs are random with a seed, and the report says so', async () => {
  const path = written('good.onnx', 1);
  const { stdout } = await run(path, path, '--seed', '7', '--samples', '3', '--batch', '2');
  expect(asked.at(-1)).toEqual({ seed: 7, samples: 3, batch: 2 });
  expect(stdout).toContain('random inputs\n  Random inputs: they show that the two agree');
  await run(path, path);
  expect(asked.at(-1)).toEqual({ seed: 0 });
});

test('--json is one object with the figures, infinities as strings', async () => {
  const [good, bad] = [written('good.onnx', 1), written('bad.onnx', -1)];
  const { stdout } = await run(bad, bad, '--json');
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({ reference: bad, other: bad, samples: 1 });
  expect(report.outputs[0]).toMatchObject({ name: 'y', sqnr: 'Infinity', top1: { count: 1, of: 1 } });
  expect(report.unfused).toEqual([expect.objectContaining({ weight: 'w', node: 'layers.0/MatMul' })]);
  const quiet = await run(good, good, '--quiet');
  expect(quiet).toEqual({ stdout: '', error: undefined });
});

test('a figure below its gate is an error with that figure, after the report', async () => {
  const path = written('good.onnx', 1);
  const bad = await run(path, path, '--min-sqnr', '20');
  expect(bad.error).toBeUndefined();
  const other = join(cwd, 'other.onnx');
  const zeros: ModelSpec = {
    ...{ opset: 13, inputs: { x: f32(['N', 32]) }, outputs: { y: f32(['N', 32]) } },
    nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }],
    initializers: { w: f32([32, 32], new Float32Array(1024)) },
  };
  writeFileSync(other, buildModel(zeros));
  const { stdout, error } = await run(path, other, '--min-sqnr', '20');
  expect(stdout).toContain(' 0.00 dB ');
  expect(error).toMatchObject({
    code: 'gate',
    message: `${other}: output 'y' has an SQNR of 0.00 dB; at least 20 dB are required`,
  });
});

/** A model with scores, and two states for the next step. */
function decoder(name: string, factor: number): string {
  const path = join(cwd, name);
  const spec: ModelSpec = {
    ...{ opset: 13, inputs: { x: f32(['N', 32]) } },
    outputs: { 'present.0.key': f32(), 'present.0.value': f32(), scores: f32() },
    nodes: [
      { op: 'MatMul', in: ['x', 'w'], out: ['scores'] },
      { op: 'Mul', in: ['x', 'one'], out: ['present.0.key'] },
      { op: 'Mul', in: ['x', 'factor'], out: ['present.0.value'] },
    ],
    initializers: {
      w: f32(
        [32, 4],
        new Float32Array(128).map((_, index) => index % 5),
      ),
      one: f32([], [1]),
      factor: f32([], [factor]),
    },
  };
  writeFileSync(path, buildModel(spec));
  return path;
}

test('states for the next step are one line and have no gate; --verbose and --output show them', async () => {
  const [a, b] = [decoder('a.onnx', 1), decoder('b.onnx', 1.5)];
  const { stdout, error } = await run(a, b, '--min-sqnr', '100', '--min-top1', '1');
  expect(error).toBeUndefined();
  expect(stdout).toMatch(
    /\n {2}scores +float32 +∞ +1\.000000 +0 +100\.0 %\n {2}2 caches: at least 6\.02 dB \(present\.0\.value\), max error 0\.5\n/,
  );
  expect(stdout).not.toMatch(/^ {2}present/m);
  expect((await run(a, b, '--verbose')).stdout).toMatch(/\n {2}present\.0\.value +float32 +6\.02 dB/);
  const json = JSON.parse((await run(a, b, '--json')).stdout);
  expect(json.outputs.map((one: { name: string; cache?: true }) => [one.name, one.cache])).toEqual([
    ['scores', undefined],
    ['present.0.key', true],
    ['present.0.value', true],
  ]);
  const named = await run(a, '--output', 'present.0.value', b, '--min-sqnr', '100');
  expect(named.stdout).toMatch(/\n {2}present\.0\.value +float32 +6\.02 dB/);
  expect(named.error?.message).toContain("output 'present.0.value' has an SQNR of 6.02 dB");
});

test('accepts a metric and an output', async () => {
  const [a, b] = [decoder('a.onnx', 1), decoder('b.onnx', 1.5)];
  const twice = await run(a, b, '--output', 'scores', '--output', 'present.0.key', '--metric', 'top1');
  expect(twice.stdout).toMatch(/\n {2}scores [^\n]* 100\.0 %\n/);
  const plain = await run(a, b, '--metric', 'sqnr', '--min-top1', '0.5');
  expect(plain.stdout).not.toContain('top-1');
  expect(plain.error).toMatchObject({ code: 'gate', hint: 'If one has: --output NAME --metric top1.' });
  expect((await run(a, b, '--metric', 'accuracy')).error).toMatchObject({ code: 'options', where: '--metric' });
  expect((await run(a, b, '--output', 'z')).error).toMatchObject({ code: 'options', where: '--output' });
});

test('refuses models that cannot be compared and invalid options', async () => {
  const path = written('good.onnx', 1);
  expect((await run(path, MLP)).error).toMatchObject({ code: 'unsupported', where: MLP });
  expect((await run(path, join(cwd, 'missing.onnx'))).error).toMatchObject({ code: 'io' });
  for (const args of [
    ['--min-top1', '99'],
    ['--min-sqnr', 'high'],
    ['--samples', '0'],
    ['--batch', '1.5'],
  ]) {
    expect((await run(path, path, ...args)).error).toMatchObject({ code: 'options', where: args[0] });
  }
});
