// 8-bit forms of trained models, judged by what users read off their outputs: size, SQNR, score, time beside float.
//   npm run build && node benchmarks/trained.js FOLDER [--ppocr DIR] [--forms int8,…] [--only NAME,…] [--cli PATH] [--json FILE]
// FOLDER holds models and what `python benchmarks/trained/data.py FOLDER` makes (benchmarks/README.md). DIR is that of
// static.js. --cli names another command line, such as that of an older version. --seconds 0 measures no time.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import ort from 'onnxruntime-node';
import { openData } from '../dist/index.node.js';
import { loadModels, root } from './static/data.js';
import { judge, outputsOf, SCORES } from './static/judge.js';
import { JUDGES } from './trained/judges.js';
import { recall } from './trained/wake.js';

const FORMS = {
  int8: [],
  'weights-only': ['--weights-only'],
  calibrated: ['--calibrate'],
  corrected: ['--weights-only', '--calibrate'],
};
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ppocr: { type: 'string' },
    forms: { type: 'string', default: Object.keys(FORMS).join() },
    only: { type: 'string' },
    cli: { type: 'string', default: join(root, 'bin/compress.js') },
    seconds: { type: 'string', default: '6' },
    json: { type: 'string' },
  },
});
const [given] = positionals;
const forms = values.forms.split(',');
const folder = mkdtempSync(join(tmpdir(), 'trained-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** One thread that does not spin, so that processor time is that of the work. */
function open(path) {
  return ort.InferenceSession.create(path, {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
}

/** A model of FOLDER: its samples, and the score of what it makes of them. */
function foreign(name) {
  const files = Object.fromEntries(['calib', 'test'].map((what) => [what, join(given, `${name}-${what}.npz`)]));
  const says = JUDGES[name]?.says;
  return {
    ...{ name, path: join(given, `${name}.onnx`), calibration: files.calib, says },
    async samples(session) {
      const inputs = session.inputMetadata.map((one) => ({
        name: one.name,
        dtype: one.type,
        dims: one.shape.map((dim) => (typeof dim === 'number' && dim >= 0 ? dim : undefined)),
      }));
      const data = await openData(files.test, inputs, {});
      const all = [];
      for await (const { feeds } of data.samples()) {
        all.push(
          Object.fromEntries(
            Object.entries(feeds).map(([key, { dtype, data: of, dims }]) => [key, new ort.Tensor(dtype, of, dims)]),
          ),
        );
      }
      return all;
    },
    async outputs(session, samples) {
      const runs = [];
      for (const feeds of samples) runs.push(await session.run(feeds));
      return runs;
    },
    judge: (expected, seen) => ({ score: JUDGES[name]?.of(expected, seen), sqnr: worst(expected, seen) }),
  };
}

/** The SQNR over all runs of the output that keeps least. */
function worst(expected, seen) {
  const floats = Object.keys(expected[0]).filter((key) => expected[0][key].type === 'float32');
  return Math.min(
    ...floats.map((key) => {
      let [signal, noise] = [0, 0];
      for (const [at, run] of expected.entries()) {
        run[key].data.forEach((value, i) => {
          signal += value ** 2;
          noise += (value - seen[at][key].data[i]) ** 2;
        });
      }
      return 10 * Math.log10(signal / noise);
    }),
  );
}

/** A bundled model, or one of PP-OCR. */
function known(model) {
  return {
    ...{ name: model.name, path: model.path, calibration: model.calibration, says: SCORES[model.kind] },
    async samples() {
      const { dims, data } = model.rows;
      const row = [1, ...dims.slice(1)];
      return [{ [model.input]: new ort.Tensor('float32', data.slice(0, data.length / dims[0]), row) }];
    },
    outputs: (session) => outputsOf(session, model),
    judge: (expected, seen) => judge(model, expected, seen),
  };
}

function make(model, form, to) {
  const options = FORMS[form].flatMap((one) => (one === '--calibrate' ? [one, model.calibration] : [one]));
  const command = [values.cli, 'quantize', '--int8', ...options, '-q', '-f', '-o', to, model.path];
  const { status, stderr } = spawnSync('node', command, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr.trim().split('\n')[0]);
}

/**
 * Ratios of processor time in alternating runs: median and quartiles of the pairs, and that of the least times, which
 * what else runs on the machine disturbs least.
 */
async function timed(sessions, feeds) {
  const spent = async (session, count) => {
    const start = process.cpuUsage();
    for (let run = 0; run < count; run++) await session.run(feeds);
    const { user, system } = process.cpuUsage(start);
    return (user + system) / count;
  };
  for (const session of sessions) await spent(session, 3);
  const count = Math.max(1, Math.ceil(5000 / (await spent(sessions[0], 5))));
  const [ratios, floats] = [[], []];
  const least = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const end = performance.now() + 1000 * Number(values.seconds);
  while (performance.now() < end || ratios.length < 11) {
    const order = ratios.length % 2 === 0 ? [0, 1] : [1, 0];
    const times = [];
    for (const at of order) {
      times[at] = await spent(sessions[at], count);
      least[at] = Math.min(least[at], times[at]);
    }
    ratios.push(times[1] / times[0]);
    floats.push(times[0]);
  }
  const middle = (list, part) => list.toSorted((a, b) => a - b)[Math.round(part * (list.length - 1))];
  const quartiles = [0.25, 0.5, 0.75].map((part) => Number(middle(ratios, part).toFixed(3)));
  const ms = Number((middle(floats, 0.5) / 1000).toFixed(3));
  return { ms, time: quartiles[1], quartiles, least: Number((least[1] / least[0]).toFixed(3)) };
}

const rows = [];
function row(found) {
  rows.push(found);
  console.log(JSON.stringify(found));
}

const names = readdirSync(given).filter((one) => existsSync(join(given, one.replace(/\.onnx$/, '-test.npz'))));
const models = [
  ...names.filter((one) => one.endsWith('.onnx')).map((one) => foreign(one.slice(0, -5))),
  ...loadModels(folder, values.ppocr).map(known),
].filter(({ name }) => values.only === undefined || values.only.split(',').includes(name));

for (const model of models) {
  const float = await open(model.path);
  const samples = await model.samples(float);
  const expected = await model.outputs(float, samples);
  for (const form of forms) {
    const to = join(folder, `${model.name}-${form}.onnx`);
    try {
      make(model, form, to);
      const small = await open(to);
      const judged = model.judge(expected, await model.outputs(small, samples));
      const time = Number(values.seconds) > 0 ? await timed([float, small], samples[0]) : {};
      await small.release();
      row({ model: model.name, form, size: statSync(to).size / statSync(model.path).size, ...judged, ...time });
    } catch (cause) {
      row({ model: model.name, form, error: cause.message.split('\n')[0].replaceAll(`${folder}/`, '') });
    }
  }
  await float.release();
}

const words = join(given, 'words.npz');
const heard = (name) => values.only === undefined || values.only.split(',').includes(name);
if (existsSync(words) && heard('wake')) {
  for (const form of ['float', ...forms]) {
    const path = (name) => (form === 'float' ? join(given, `${name}.onnx`) : join(folder, `${name}-${form}.onnx`));
    // A form that is refused, such as a Log behind every weight, is used as float.
    const chosen = (name) => (existsSync(path(name)) ? path(name) : join(given, `${name}.onnx`));
    row({ model: 'wake', form, ...(await recall((name) => open(chosen(name)), words)) });
  }
}
if (values.json !== undefined) {
  const machine = { processor: cpus()[0]?.model, node: process.versions.node, threads: 1 };
  writeFileSync(values.json, `${JSON.stringify({ ...machine, rows }, null, 1)}\n`);
}
