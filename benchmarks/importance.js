// Seconds and peak of memory of pruning and quantizing by data, on four square layers in a row, beside plain PyTorch.
//   npm run build && node benchmarks/importance.js [--side 2048] [--peer PYTHON] [--json FILE]
// PYTHON has torch, onnx and numpy. Without --json the results go to benchmarks/results/importance.json.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { VECTORS, writeLayers } from './pruning/layers.js';
import { measured } from './pruning/measure.js';

const root = new URL('..', import.meta.url).pathname;
const LAYERS = 4;
const RUNS = {
  sparsegpt: ['prune', '--sparsegpt', '0.5'],
  gptq: ['quantize', '--int4', '--head-bits', '4', '--no-check'],
};

const { values } = parseArgs({
  options: { side: { type: 'string', default: '2048' }, peer: { type: 'string' }, json: { type: 'string' } },
});
const side = Number(values.side);
const folder = mkdtempSync(join(tmpdir(), 'onnx-compress-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const { model, data } = writeLayers(side, LAYERS, folder);

const ours = {};
for (const [name, args] of Object.entries(RUNS)) {
  const out = ['-q', '-f', '-o', join(folder, 'out.onnx'), model];
  ours[name] = measured([...args, '--calibrate', data, '--batch', '512', ...out], folder);
  console.error(name, ours[name]);
}
const results = { side, layers: LAYERS, vectors: VECTORS, ours };
if (values.peer !== undefined) {
  const peer = join(root, 'benchmarks/peer/importance_peer.py');
  const done = spawnSync(values.peer, [peer, folder], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(done.stderr);
  results.peer = JSON.parse(done.stdout);
  console.error('peer', results.peer);
}
const file = values.json ?? join(root, 'benchmarks/results/importance.json');
writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
