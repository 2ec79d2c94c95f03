// What packing saves, and what it costs when ONNX Runtime loads the model.
//   npm run build && node benchmarks/pack.js [--rounds 9]
// Writes benchmarks/results/pack.csv and prints a table. Each model is pruned by 60 %, then float or quantized; loading
// is timed in processes of their own, dense and packed in alternation, and so is the most memory they held (maxRSS).
// The outputs of both must be equal, bit for bit.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import * as lib from '../dist/index.node.js';
import { matmuls } from './models.js';

const root = new URL('..', import.meta.url).pathname;
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '9' }, load: { type: 'string' } } });

/** Loads a model and tells how long that took, how much memory it held, and what it makes of a sine. */
async function load(path) {
  const started = process.hrtime.bigint();
  const session = await InferenceSession.create(path, { executionProviders: ['cpu'], intraOpNumThreads: 1 });
  const milliseconds = Number(process.hrtime.bigint() - started) / 1e6;
  const peak = process.resourceUsage().maxRSS / 1024;
  const [{ name, shape }] = session.inputMetadata;
  const dims = shape.map((dim) => (typeof dim === 'number' ? dim : 3));
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, at) => Math.sin(at));
  const [output] = Object.values(await session.run({ [name]: new Tensor('float32', data, dims) }));
  console.log(JSON.stringify({ milliseconds, peak, output: Buffer.from(output.data.buffer).toString('base64') }));
}

const FORMS = {
  float: [],
  'int8 dynamic': [lib.quantize({ minElements: 0 })],
  'int8 weights-only': [lib.quantize({ weightsOnly: true })],
};

async function write(from, to, passes) {
  const model = await lib.readModel(from);
  try {
    await lib.transform(model, ...passes);
    await lib.writeModel(model, to);
  } finally {
    await model.close();
  }
  return statSync(to).size;
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

if (values.load !== undefined) await load(values.load);
else {
  const folder = mkdtempSync(join(tmpdir(), 'onnx-compress-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const large = join(folder, 'large.onnx');
  matmuls(256, large);
  const models = {
    'digits-mlp': join(root, 'fixtures/digits-mlp.onnx'),
    'digits-cnn': join(root, 'fixtures/digits-cnn.onnx'),
    'digits-vit': join(root, 'fixtures/digits-vit.onnx'),
    '4 MatMuls of 4096×4096': large,
  };
  const lines = [
    'model,form,float_bytes,dense_bytes,packed_bytes,share_of_float,load_dense_ms,load_packed_ms,ratio,peak_dense_mb,peak_packed_mb',
  ];
  console.log(
    '| model, 60 % pruned | float file | dense | packed | of the float file | load, packed to dense | peak memory, dense → packed |',
  );
  console.log('| --- | --: | --: | --: | --: | --: | --: |');
  for (const [name, path] of Object.entries(models)) {
    for (const [form, passes] of Object.entries(FORMS)) {
      const [dense, packed] = [join(folder, 'dense.onnx'), join(folder, 'packed.onnx')];
      for (const one of [dense, packed]) rmSync(one, { force: true });
      const float = statSync(path).size;
      const sizes = [
        await write(path, dense, [lib.prune({ method: 'l1', amount: 0.6 }), ...passes]),
        await write(dense, packed, [lib.pack()]),
      ];
      const runs = { [dense]: [], [packed]: [] };
      for (let round = 0; round < Number(values.rounds); round++) {
        for (const one of [dense, packed]) {
          const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--load', one], {
            encoding: 'utf8',
          });
          if (child.status !== 0) throw new Error(child.stderr);
          runs[one].push(JSON.parse(child.stdout));
        }
      }
      if (runs[dense][0].output !== runs[packed][0].output) throw new Error(`${name} ${form}: the outputs differ`);
      const of = (one, key) => median(runs[one].map((run) => run[key]));
      const ratio = median(runs[packed].map((run, round) => run.milliseconds / runs[dense][round].milliseconds));
      const [milliseconds, peaks] = ['milliseconds', 'peak'].map((key) => [of(dense, key), of(packed, key)]);
      const share = (100 * sizes[1]) / float;
      lines.push(
        [
          name,
          form,
          float,
          ...sizes,
          (share / 100).toFixed(4),
          ...milliseconds.map((one) => one.toFixed(1)),
          ratio.toFixed(2),
          ...peaks.map((one) => one.toFixed(0)),
        ].join(','),
      );
      const kilo = (bytes) => (bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
      console.log(
        `| ${name}, ${form} | ${kilo(float)} | ${kilo(sizes[0])} | ${kilo(sizes[1])} | ${share.toFixed(1)} % | ${ratio.toFixed(2)}× (${milliseconds.map((one) => one.toFixed(0)).join(' → ')} ms) | ${peaks.map((one) => one.toFixed(0)).join(' → ')} MB |`,
      );
    }
  }
  writeFileSync(join(root, 'benchmarks/results/pack.csv'), `${lines.join('\n')}\n`);
}
