// What a product costs in onnxruntime-web (its WebAssembly backend, one thread, in Node), by its size and its rows:
// the second table of docs/guides/web.md.
//   npm run build && node benchmarks/web-rows.js [SIDE …]
// Times are of the processor, which depend less on other work on the machine.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as web from 'onnxruntime-web';
import { matmuls } from './models.js';

/** By rows and columns of a weight: MiB of all weights, and pairs of runs. */
const MODELS = { 768: [9, 101], 2048: [32, 41], 4096: [128, 21] };
const ROWS = [1, 8, 32];
const FORMS = [
  ['--int8', []],
  ['--int4 --target web', ['--int4', '--target', 'web']],
  ['--weights-only', ['--weights-only']],
  ['--int4 --form nbits', ['--int4', '--form', 'nbits']],
];
const WARM_UP = 2;

web.env.wasm.numThreads = 1;
const sides = process.argv.length > 2 ? process.argv.slice(2).map(Number) : Object.keys(MODELS).map(Number);
const root = new URL('..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'onnx-compress-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const load = (path) => web.InferenceSession.create(readFileSync(path), { executionProviders: ['wasm'] });

/** Milliseconds of the processor that a run takes. */
async function run(session, feeds) {
  const before = process.cpuUsage();
  await session.run(feeds);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

console.log(`| side | form | ${ROWS.map((rows) => (rows === 1 ? '1 row' : `${rows} rows`)).join(' | ')} |`);
console.log(`| --: | --- | ${ROWS.map(() => '--:').join(' | ')} |`);
for (const side of sides) {
  const path = join(folder, `float-${side}.onnx`);
  const [mebibytes, rounds] = MODELS[side];
  matmuls(mebibytes, path, side);
  const float = await load(path);
  const products = (mebibytes * 2 ** 20) / (4 * side * side);
  const floats = new Map(ROWS.map((rows) => [rows, []]));
  const lines = [];
  for (const [form, options] of FORMS) {
    const small = join(folder, 'small.onnx');
    const args = [join(root, 'bin/compress.js'), 'quantize', ...options, path, '-q', '--force', '-o', small];
    execFileSync(process.execPath, args);
    const session = await load(small);
    const cells = [];
    for (const rows of ROWS) {
      const data = Float32Array.from({ length: rows * side }, (_, at) => Math.sin(at));
      const feeds = { [float.inputNames[0]]: new web.Tensor('float32', data, [rows, side]) };
      // Float and small alternate, so that whatever slows the machine slows both.
      const pairs = [];
      for (let round = -WARM_UP; round < rounds; round++) {
        const pair = [await run(float, feeds), await run(session, feeds)];
        if (round >= 0) pairs.push(pair);
      }
      floats.get(rows).push(...pairs.map(([one]) => one));
      cells.push(`${median(pairs.map(([a, b]) => b / a)).toFixed(2)}×`);
    }
    lines.push(`| ${side} | ${form} | ${cells.join(' | ')} |`);
    await session.release();
  }
  const ms = ROWS.map((rows) => `${(median(floats.get(rows)) / products).toPrecision(2)} ms`);
  console.log(`| ${side} | float, a product | ${ms.join(' | ')} |`);
  for (const line of lines) console.log(line);
  await float.release();
}
