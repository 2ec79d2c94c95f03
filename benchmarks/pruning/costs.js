// Time and memory of pruning one square layer with 4096 vectors of data, in a process of its own.
import { join } from 'node:path';
import { VECTORS, writeLayers } from './layers.js';
import { measured } from './measure.js';

const SIDES = [1024, 2048, 4096];

/** Each method on each size: seconds of processor time, and the peak of memory. */
export async function costs(folder) {
  const results = [];
  const lines = ['| layer | weights | method | processor time | peak memory |', '| --- | --: | --- | --: | --: |'];
  for (const side of SIDES) {
    const { model, data } = writeLayers(side, 1, folder);
    for (const method of ['l1', 'wanda', 'sparsegpt']) {
      const calibrate = method === 'l1' ? [] : ['--calibrate', data, '--batch', '64'];
      const args = ['prune', `--${method}`, '0.5', ...calibrate, '-q', '-f', '-o', join(folder, 'out.onnx'), model];
      const { cpuSeconds, peakBytes } = measured(args, folder);
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
