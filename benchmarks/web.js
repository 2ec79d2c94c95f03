// What the recipes gain in onnxruntime-web: its WebAssembly backend, one thread, in Node. Prints the table of
// docs/guides/web.md.
//   npm run build && npm install --no-save onnxruntime-web@1.30.0 && node benchmarks/web.js
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as native from 'onnxruntime-node';
import * as web from 'onnxruntime-web';
import { fixture, linear1024, ppocr, sqnr } from './judged.js';

const ROUNDS = 21;
const WARM_UP = 3;
const ROWS = 32;
const root = new URL('..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'onnx-compress-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
web.env.wasm.numThreads = 1;

function feedsOf(runtime, inputs) {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { dims, data }]) => {
      const rows = Math.min(ROWS, dims[0]);
      const part = data.slice(0, (data.length / dims[0]) * rows);
      return [name, new runtime.Tensor('float32', part, [rows, ...dims.slice(1)])];
    }),
  );
}

async function load(path) {
  const bytes = readFileSync(path);
  const start = performance.now();
  const session = await web.InferenceSession.create(bytes, { executionProviders: ['wasm'] });
  return { session, took: performance.now() - start };
}

async function run(session, feeds) {
  const start = performance.now();
  const outputs = await session.run(feeds);
  return { took: performance.now() - start, data: outputs[session.outputNames[0]].data };
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

function recipes({ calibration }) {
  const calibrated = calibration === undefined ? [] : [['--int8 --calibrate', ['--calibrate', calibration]]];
  return [['--int8 --min-elements 0', ['--min-elements', '0']], ['--weights-only', ['--weights-only']], ...calibrated];
}

console.log('| model | recipe | of float’s size | SQNR to float | same as onnxruntime-node | time | load |');
console.log('| --- | --- | --: | --: | --: | --: | --: |');
for (const model of [
  fixture('digits-mlp'),
  fixture('digits-cnn'),
  fixture('digits-vit'),
  ppocr(),
  await linear1024(folder),
]) {
  const feeds = feedsOf(web, model.inputs);
  const float = await load(model.path);
  const { data: expected } = await run(float.session, feeds);
  for (const [recipe, options] of recipes(model)) {
    const path = join(folder, 'small.onnx');
    const args = [join(root, 'bin/compress.js'), 'quantize', ...options, model.path, '-q', '--force', '-o', path];
    execFileSync(process.execPath, args);
    const small = await load(path);
    const { data } = await run(small.session, feeds);
    const nativeSession = await native.InferenceSession.create(path);
    const nativeOutputs = await nativeSession.run(feedsOf(native, model.inputs));
    const same = sqnr(nativeOutputs[nativeSession.outputNames[0]].data, data);
    await nativeSession.release();
    // Float and small alternate, so that whatever slows the machine slows both.
    const ratios = [];
    for (let round = -WARM_UP; round < ROUNDS; round++) {
      const [a, b] = [await run(float.session, feeds), await run(small.session, feeds)];
      if (round >= 0) ratios.push(b.took / a.took);
    }
    const loads = [];
    for (let round = 0; round < 5; round++) {
      const [a, b] = [await load(model.path), await load(path)];
      loads.push(b.took / a.took);
      await a.session.release();
      await b.session.release();
    }
    const decibels = (value) => (value === Number.POSITIVE_INFINITY ? 'equal' : `${value.toFixed(1)} dB`);
    const share = `${((100 * statSync(path).size) / statSync(model.path).size).toFixed(1)} %`;
    const columns = [model.name, recipe, share, decibels(sqnr(expected, data)), decibels(same)];
    console.log(`| ${[...columns, `${median(ratios).toFixed(2)}×`, `${median(loads).toFixed(1)}×`].join(' | ')} |`);
    await small.session.release();
  }
  await float.session.release();
}
