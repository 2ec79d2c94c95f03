// Forms of 16 bits on every model of some folders, beside the float model: loads, runs, size, signal.
//   npm run build && node benchmarks/float16.js FOLDER|MODEL… [--form stored,computed,bfloat16,int16] [--web] [--keep FOLDER] [--md]
// Inputs are those beside a model (NAME.npz or NAME-test.npz), or random ones. --web runs each form in
// onnxruntime-web's WebAssembly too. Prints a row for each model, as JSON lines or a table (the one of
// docs/passes/float16.md).
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { fittingRandomData, float16, openData, readModel, transform, verify, writeModel } from '../dist/index.node.js';
import { sqnr } from './judged.js';

const FORMS = {
  stored: {},
  bfloat16: { dtype: 'bfloat16' },
  computed: { compute: 'float16' },
  int16: { dtype: 'int16' },
};
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    form: { type: 'string', default: 'stored,computed' },
    keep: { type: 'string' },
    md: { type: 'boolean' },
    web: { type: 'boolean' },
  },
});
const forms = values.form.split(',');
const models = positionals
  .flatMap((path) => (statSync(path).isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [path]))
  .filter((one) => one.endsWith('.onnx'));

/** The largest number of samples that a model is fed. */
const SAMPLES = 8;
/** Types of outputs that are compared as numbers. */
const FLOATS = /^float/;

function dataOf(path) {
  const base = join(dirname(path), basename(path, '.onnx'));
  const file = [`${base}.npz`, `${base}-test.npz`].find((one) => existsSync(one));
  if (file === undefined) return (inputs, trial) => fittingRandomData(inputs, { samples: 2, seed: 0 }, trial);
  return (inputs) => openData(file, inputs, { samples: SAMPLES });
}

function sizeOf(path) {
  return [path, `${path}.data`, `${path}_data`].reduce(
    (sum, one) => sum + (existsSync(one) ? statSync(one).size : 0),
    0,
  );
}

/** Writes a model in one form, and runs it beside the float one. */
async function made(path, form, folder) {
  const to = join(folder, `${form}-${basename(path)}`);
  const model = await readModel(path);
  const found = {};
  try {
    const [report] = await transform(model, float16(FORMS[form]));
    Object.assign(found, { changed: report.changes.length, nodes: report.facts?.[0]?.nodes });
    await writeModel(model, to, { overwrite: true });
  } finally {
    await model.close();
  }
  found.size = sizeOf(to) / sizeOf(path);
  let data;
  const keeping = async (...args) => {
    data = await dataOf(path)(...args);
    return data;
  };
  const { outputs } = await verify(path, to, keeping);
  const judged = outputs.filter((one) => !one.zero && FLOATS.test(one.dtype));
  if (judged.length > 0) found.db = Math.min(...judged.map((one) => one.sqnr));
  if (values.web) found.web = await onWeb(path, to, data);
  return found;
}

/** What WebAssembly keeps of what onnxruntime-node gives for the float model, on the first sample. */
async function onWeb(float, small, data) {
  const [native, web] = await Promise.all([import('onnxruntime-node'), import('onnxruntime-web')]);
  web.env.wasm.numThreads = 1;
  const [before, after] = [
    await native.InferenceSession.create(float),
    await web.InferenceSession.create(readFileSync(small), { executionProviders: ['wasm'] }),
  ];
  try {
    for await (const { feeds } of data.samples()) {
      const run = async (session, { Tensor }) => {
        const tensors = Object.entries(feeds).map(([name, { dtype, data: of, dims }]) => [
          name,
          new Tensor(dtype, of, dims),
        ]);
        return session.run(Object.fromEntries(tensors));
      };
      const [wanted, found] = [await run(before, native), await run(after, web)];
      const floats = before.outputNames.filter(
        (name) => wanted[name].type === 'float32' && wanted[name].data.some(Boolean),
      );
      return Math.min(...floats.map((name) => sqnr(wanted[name].data, found[name].data)));
    }
  } finally {
    await before.release();
    await after.release();
  }
}

if (values.keep !== undefined) mkdirSync(values.keep, { recursive: true });
const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'float16-'));
const percent = (part) => `${(100 * part).toFixed(1)} %`;
const decibels = (db) => (db === undefined ? 'no floats' : db === Infinity ? 'equal' : `${db.toFixed(1)}`);
const columns = ['size', 'dB', ...(values.web ? ['dB in WebAssembly'] : [])];
if (values.md) {
  console.log(`| model | ${forms.flatMap((form) => columns.map((one) => `${form}: ${one}`)).join(' | ')} |`);
  console.log(`| --- | ${forms.flatMap(() => columns.map(() => '--:')).join(' | ')} |`);
}
for (const path of models) {
  const name = basename(path, '.onnx');
  const cells = [];
  for (const form of forms) {
    const found = await made(path, form, folder).catch((cause) => ({ error: cause.message }));
    if (!values.md) console.log(JSON.stringify({ name, form, ...found, db: found.error ?? decibels(found.db) }));
    else if (found.error !== undefined) cells.push(found.error, ...columns.slice(1).map(() => ''));
    else cells.push(percent(found.size), decibels(found.db), ...(values.web ? [decibels(found.web)] : []));
  }
  if (values.md) console.log(`| ${[name, ...cells].join(' | ')} |`);
}
if (values.keep === undefined) rmSync(folder, { recursive: true });
