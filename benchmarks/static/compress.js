// Runs the command line as a user does: in a process of its own, with its time and its peak of memory.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './data.js';

// process.resourceUsage().maxRSS counts the parent's memory too: it survives exec. The kernel's VmHWM does not.
const PEAK = `data:text/javascript,${encodeURIComponent(`
  import { readFileSync, writeFileSync } from 'node:fs';
  process.on('exit', () => {
    const line = /VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'));
    writeFileSync(process.env.PEAK_FILE, String(Number(line[1]) * 1024));
  });
`)}`;

/**
 * `onnx-compress quantize --int8 --calibrate`; a failure is a result.
 * @param {string[]} options further options
 */
export function quantize(model, output, options) {
  const peak = `${output}.peak`;
  const bin = join(root, 'bin/compress.js');
  const args = ['quantize', '--int8', '--calibrate', model.calibration, '--json', '-q', '-f', '-o', output];
  const start = performance.now();
  const measured = process.platform === 'linux' ? ['--import', PEAK] : [];
  const child = spawnSync('node', [...measured, bin, ...args, ...options, model.path], {
    encoding: 'utf8',
    env: { ...process.env, PEAK_FILE: peak },
    maxBuffer: 2 ** 28,
  });
  const seconds = (performance.now() - start) / 1000;
  if (child.status !== 0) {
    const message = child.stderr.trim().split('\n')[0].replaceAll(root, '');
    return { outcome: 'error', message: message || `exit ${child.status ?? child.signal}`, seconds };
  }
  const peakBytes = measured.length > 0 ? Number(readFileSync(peak, 'utf8')) : null;
  rmSync(peak, { force: true });
  const { changes } = JSON.parse(child.stdout).passes[0];
  const forms = {};
  for (const { form, nodes } of changes) forms[form] = (forms[form] ?? 0) + nodes.length;
  return { outcome: 'ok', seconds, peakBytes, forms };
}
