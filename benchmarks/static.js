// Static quantization beside the best that onnxruntime.quantization makes of the same models with the same data.
//   npm run build && node benchmarks/static.js [--ppocr DIR] [--observers] [--only MODEL] [--json FILE] [-- OPTIONS]
// DIR holds ppocr-{rec,det,cls}-calib.npz. --observers compares the observers, quality only. OPTIONS go to
// `onnx-compress quantize`. The peer's side is benchmarks/results/static-peer.json, which
// benchmarks/peer/static_peer.py writes.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { quantize } from './static/compress.js';
import { loadModels, root } from './static/data.js';
import { judge, open, outputsOf, SCORES, timed } from './static/judge.js';
import { bestOf, comparison, csv, observerTable, rounded } from './static/report.js';

const OBSERVERS = ['minmax', 'moving-average', 'percentile', 'entropy', 'mse'];

const { values, positionals: extra } = parseArgs({
  options: {
    ppocr: { type: 'string' },
    observers: { type: 'boolean', default: false },
    only: { type: 'string' },
    threads: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
  allowPositionals: true,
});
const { ppocr, observers, only } = values;
const threads = Number(values.threads);
const results = join(root, 'benchmarks/results');
const folder = mkdtempSync(join(tmpdir(), 'onnx-compress-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const models = loadModels(folder, ppocr).filter(({ name }) => only === undefined || name === only);
if (ppocr === undefined) {
  console.error('The PP-OCR models are left out: their data is in the folder that --ppocr names.');
}

/** Quantizes with `options` and judges; the time too, unless only the quality is asked for. */
async function measure(model, float, expected, options) {
  const path = join(folder, 'small.onnx');
  const done = quantize(model, path, options);
  if (done.outcome !== 'ok') return done;
  const [before, after] = [model.path, path].map((file) => statSync(file).size);
  const small = await open(path, threads);
  const quality = judge(model, expected, await outputsOf(small, model));
  const time = observers ? {} : await timed(float, small, model);
  await small.release();
  return { ...done, bytes: after, ofFloat: after / before, ...quality, ...time };
}

const rows = [];
const floats = {};
for (const model of models) {
  const float = await open(model.path, threads);
  const expected = await outputsOf(float, model);
  floats[model.name] = { bytes: statSync(model.path).size, ...judge(model, expected, expected) };
  for (const observer of observers ? OBSERVERS : [undefined]) {
    const options = observer === undefined ? extra : ['--observer', observer, ...extra];
    const result = await measure(model, float, expected, options);
    rows.push({ model: model.name, kind: SCORES[model.kind], ...(observer && { observer }), ...result });
    process.stderr.write(`${model.name} ${observer ?? ''} ${result.message ?? ''}\n`);
  }
  await float.release();
}

const peer = JSON.parse(readFileSync(join(results, 'static-peer.json'), 'utf8'));
const best = observers ? {} : Object.fromEntries(models.map(({ name }) => [name, bestOf(peer, name)]));
console.log(observers ? observerTable(rows, floats, OBSERVERS) : comparison(rows, floats, best));

// What is kept beside the script is the whole comparison with the defaults; other runs are kept where --json says.
const whole = ppocr !== undefined && only === undefined && extra.length === 0;
const json = values.json ?? (whole ? join(results, observers ? 'static-observers.json' : 'static.json') : undefined);
if (json !== undefined) {
  const version = (path) => JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')).version;
  const versions = {
    node: process.versions.node,
    'onnx-compress': version('.'),
    'onnxruntime-node': version('node_modules/onnxruntime-node'),
  };
  const flags = [ppocr && '--ppocr DIR', observers && '--observers', only && `--only ${only}`];
  const command = ['node benchmarks/static.js', ...flags, ...(extra.length > 0 ? ['--', ...extra] : [])];
  const report = {
    command: command.filter(Boolean).join(' '),
    date: new Date().toISOString().replace(/\.\d+Z/, 'Z'),
    versions,
    processor: cpus()[0]?.model,
    threads,
    floats,
    results: rows,
    ...(observers ? {} : { peer: best }),
  };
  writeFileSync(json, `${JSON.stringify(rounded(report), undefined, 2)}\n`);
  writeFileSync(json.replace(/(\.json)?$/, '.csv'), csv(rows, best));
  console.error(`Written: ${json} and the same as .csv`);
}
