// Whether `quantize --calibrate` is ever slower than float: networks with seeded weights, and models that are named.
//   npm run build && node benchmarks/paying.js [--threads 1] [--seconds 4] [--prefer speed] [MODEL DATA …]
// Float and quantized model run in turn; of each the least time counts: with one thread processor time, which other
// programs disturb less. Calibrated with random inputs where DATA is "random".
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import ort from 'onnxruntime-node';
import { calibratedQuantize, readModel, transform, writeModel } from '../dist/index.node.js';
import { NETS } from './static/nets.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '4' },
    prefer: { type: 'string', default: 'speed' },
  },
});
/** Slower than this is wrong. */
const BOUND = 1.03;
const folder = mkdtempSync(join(tmpdir(), 'paying-'));

async function sessionOf(path) {
  return ort.InferenceSession.create(path, {
    intraOpNumThreads: Number(values.threads),
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
}

/** Milliseconds, of the processor if there is one thread. */
function clock() {
  if (values.threads !== '1') return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Positive inputs of a model, 1 for each open dim. */
function feedsOf(session) {
  return Object.fromEntries(
    session.inputMetadata.map(({ name, shape }) => {
      const dims = shape.map((dim) => (typeof dim === 'number' && dim > 0 ? dim : 1));
      const length = dims.reduce((a, b) => a * b, 1);
      return [
        name,
        new ort.Tensor(
          'float32',
          Float32Array.from({ length }, (_, at) => Math.abs(Math.sin(at * 1.7))),
          dims,
        ),
      ];
    }),
  );
}

async function compare(name, path, data) {
  const model = await readModel(path);
  const [report] = await transform(model, calibratedQuantize({}, { data, samples: 8, prefer: values.prefer }));
  const small = join(folder, 'small.onnx');
  await writeModel(model, small, { overwrite: true });
  await model.close();
  const sessions = [await sessionOf(path), await sessionOf(small)];
  const feeds = feedsOf(sessions[0]);
  const least = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const end = performance.now() + 1000 * Number(values.seconds);
  while (performance.now() < end) {
    for (const [at, session] of sessions.entries()) {
      const start = clock();
      await session.run(feeds);
      least[at] = Math.min(least[at], clock() - start);
    }
  }
  for (const session of sessions) await session.release();
  const ratio = least[1] / least[0];
  const integers = report.changes.filter((one) => one.form.includes('static')).length;
  const size = ((100 * statSync(small).size) / statSync(path).size).toFixed(1);
  const of = `${integers} of ${report.changes.length} weights on integers`;
  console.log(`${name.padEnd(16)} ${least[0].toFixed(2)} ms  ${ratio.toFixed(2)}×  ${size} %  ${of}`);
  return ratio;
}

let worst = 0;
try {
  for (const [name, build] of Object.entries(NETS)) {
    const path = join(folder, `${name}.onnx`);
    writeFileSync(path, build().bytes());
    worst = Math.max(worst, await compare(name, path, 'random'));
  }
  for (let at = 0; at + 1 < positionals.length; at += 2) {
    const [path, data] = positionals.slice(at);
    worst = Math.max(worst, await compare(basename(path), path, data));
  }
} finally {
  rmSync(folder, { recursive: true });
}
if (worst > BOUND) {
  console.log(`slower than ${BOUND} times float`);
  process.exitCode = 1;
}
