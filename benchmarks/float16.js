// Every form of 16 bits on every model of some folders, beside the float model: loads, runs, size, signal.
//   npm run build && node benchmarks/float16.js FOLDER|MODEL… [--form stored|computed|bfloat16] [--keep FOLDER] [--md]
// Inputs are those beside a model (NAME.npz or NAME-test.npz), or random ones. Prints a row for each model, as JSON lines or a
// table; a model that the form leaves as it is says why.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { fittingRandomData, float16, openData, readModel, transform, verify, writeModel } from '../dist/index.node.js';

const FORMS = {
  stored: {},
  bfloat16: { dtype: 'bfloat16' },
  computed: { compute: 'float16' },
};
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { form: { type: 'string', default: 'stored' }, keep: { type: 'string' }, md: { type: 'boolean' } },
});
const models = positionals.flatMap((path) =>
  statSync(path).isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [path],
);

/** The largest number of samples that a model is fed. */
const SAMPLES = 8;

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

async function row(path, folder) {
  const name = basename(path, '.onnx');
  const made = join(folder, basename(path));
  const model = await readModel(path);
  const found = { name };
  try {
    const [report] = await transform(model, float16(FORMS[values.form]));
    found.changed = report.changes.length;
    found.facts = report.facts;
    await writeModel(model, made, { overwrite: true });
  } catch (cause) {
    return { ...found, error: `writing: ${cause.message}` };
  } finally {
    await model.close();
  }
  found.size = sizeOf(made) / sizeOf(path);
  try {
    const { outputs } = await verify(path, made, dataOf(path));
    const judged = outputs.filter((one) => !one.zero && /float/.test(one.dtype));
    const others = outputs.filter((one) => !/float/.test(one.dtype) && one.maxAbsError > 0).length;
    found.db = judged.length === 0 ? undefined : Math.min(...judged.map((one) => one.sqnr));
    if (others > 0) found.integersDiffer = others;
  } catch (cause) {
    return { ...found, error: cause.message };
  }
  return found;
}

if (values.keep !== undefined) mkdirSync(values.keep, { recursive: true });
const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'float16-'));
const percent = (part) => `${(100 * part).toFixed(1)} %`;
if (values.md) console.log('| model | tensors | size | dB |\n| --- | --- | --- | --- |');
for (const path of models.filter((one) => one.endsWith('.onnx'))) {
  const { name, changed, size, db, error, integersDiffer } = await row(path, folder);
  const signal = error ?? (db === undefined ? 'no floats' : db === Infinity ? 'equal' : db.toFixed(1));
  if (values.md) console.log(`| ${name} | ${changed} | ${size === undefined ? '' : percent(size)} | ${signal} |`);
  else console.log(JSON.stringify({ name, changed, size, db: signal, integersDiffer }));
}
if (values.keep === undefined) rmSync(folder, { recursive: true });
