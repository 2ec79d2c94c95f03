// How long onnx-compress inspect takes beside Node's own start: alternating runs, the medians and what lies between
// them.
//   npm run build && node benchmarks/models.js matmuls 1024 big.onnx && node benchmarks/inspect.js big.onnx [runs]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const [model, runs = '15'] = process.argv.slice(2);
if (model === undefined) throw new Error('which model? node benchmarks/inspect.js big.onnx');
const bin = fileURLToPath(new URL('../bin/compress.js', import.meta.url));

const COMMANDS = {
  'node -e 0': ['-e', '0'],
  'onnx-compress --version': [bin, '--version'],
  'onnx-compress inspect': [bin, 'inspect', model],
};

/** Milliseconds of one run. */
function time(args) {
  const start = process.hrtime.bigint();
  const { status, stderr } = spawnSync(process.execPath, args);
  if (status !== 0) throw new Error(String(stderr));
  return Number(process.hrtime.bigint() - start) / 1e6;
}

const times = Object.fromEntries(Object.keys(COMMANDS).map((name) => [name, []]));
for (let run = 0; run <= Number(runs); run++) {
  for (const [name, args] of Object.entries(COMMANDS)) {
    const one = time(args);
    // The first round fills the file cache.
    if (run > 0) times[name].push(one);
  }
}
const sorted = (list) => [...list].sort((a, b) => a - b);
const median = (list) => sorted(list)[Math.floor(list.length / 2)];
const base = { median: median(times['node -e 0']), least: sorted(times['node -e 0'])[0] };
for (const [name, list] of Object.entries(times)) {
  const [most, least] = [median(list), sorted(list)[0]];
  const over = `${(most - base.median).toFixed(0)} ms over node (least: ${(least - base.least).toFixed(0)} ms)`;
  console.log(`${name.padEnd(20)} median ${most.toFixed(0)} ms, least ${least.toFixed(0)} ms; ${over}`);
}
