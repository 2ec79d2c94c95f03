// Time and memory of pruning one square layer with 4096 vectors of data, in a process of its own.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import onnxProto from 'onnx-proto';

const root = new URL('../..', import.meta.url).pathname;
const SIDES = [1024, 2048, 4096];
const VECTORS = 4096;

// process.resourceUsage().maxRSS counts the parent's memory too: it survives exec. The kernel's VmHWM does not.
const MEASURE = `data:text/javascript,${encodeURIComponent(`
  import { readFileSync, writeFileSync } from 'node:fs';
  process.on('exit', () => {
    const line = /VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'));
    const { user, system } = process.cpuUsage();
    writeFileSync(process.env.MEASURED, JSON.stringify({ cpuSeconds: (user + system) / 1e6, peakBytes: Number(line[1]) * 1024 }));
  });
`)}`;

/** Nearly normal numbers (sums of four uniform ones), the same in every run. */
function normal(count, seed, scale) {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    let sum = 0;
    for (let one = 0; one < 4; one++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      sum += state;
    }
    return (sum / 2 ** 32 - 2) * scale;
  });
}

function writeLayer(side, folder) {
  const { onnx } = onnxProto;
  const value = (name) => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'n' }, { dimValue: side }] } } },
  });
  const rawData = new Uint8Array(normal(side * side, 1, 1 / Math.sqrt(side)).buffer);
  const graph = {
    name: 'layer',
    node: [{ opType: 'MatMul', input: ['x', 'w'], output: ['y'] }],
    initializer: [{ name: 'w', dims: [side, side], dataType: 1, rawData }],
    input: [value('x')],
    output: [value('y')],
  };
  const model = { irVersion: 8, opsetImport: [{ domain: '', version: 17 }], graph };
  writeFileSync(join(folder, 'layer.onnx'), onnx.ModelProto.encode(onnx.ModelProto.create(model)).finish());
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${VECTORS}, ${side}), }\n`;
  const head = Buffer.from(`\x93NUMPY\x01\x00\0\0${header}`, 'latin1');
  head.writeUInt16LE(header.length, 8);
  const x = Buffer.concat([head, new Uint8Array(normal(VECTORS * side, 2, 1).buffer)]);
  writeFileSync(join(folder, 'layer.npz'), zipSync({ 'x.npy': x }, { level: 0 }));
}

/** Each method on each size: seconds of processor time, and the peak of memory. */
export async function costs(folder) {
  const results = [];
  const lines = ['| layer | weights | method | processor time | peak memory |', '| --- | --: | --- | --: | --: |'];
  for (const side of SIDES) {
    writeLayer(side, folder);
    for (const method of ['l1', 'wanda', 'sparsegpt']) {
      const data = method === 'l1' ? [] : ['--calibrate', join(folder, 'layer.npz'), '--batch', '64'];
      const args = ['prune', `--${method}`, '0.5', ...data, '-q', '-f', '-o', join(folder, 'out.onnx')];
      const measured = join(folder, 'measured.json');
      const bin = join(root, 'bin/compress.js');
      const done = spawnSync('node', ['--import', MEASURE, bin, ...args, join(folder, 'layer.onnx')], {
        encoding: 'utf8',
        env: { ...process.env, MEASURED: measured },
      });
      if (done.status !== 0) throw new Error(done.stderr);
      const { cpuSeconds, peakBytes } = JSON.parse(readFileSync(measured, 'utf8'));
      results.push({ side, vectors: VECTORS, method, cpuSeconds, peakBytes });
      const weight = method === 'l1' ? `${(side * side * 4) / 2 ** 20} MiB` : '';
      const layer = method === 'l1' ? `${side}×${side}` : '';
      const memory = `${Math.round(peakBytes / 1e6)} MB`;
      lines.push(`| ${layer} | ${weight} | --${method} | ${cpuSeconds.toFixed(1)} s | ${memory} |`);
      console.error(lines.at(-1));
    }
  }
  console.log(lines.join('\n'));
  return results;
}
