// Size, accuracy, signal-to-noise ratio and speed of what we write, in ONNX Runtime. Prints the table of the README.
//   npm run build && node benchmarks/quality.js [--readme]
// With --readme (npm run bench:readme) the table replaces that of docs/measured.md, and some rows of it those of
// README.md.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { prune, quantize, readModel, transform, writeModel } from '../dist/index.node.js';
import { fixture, linear1024, ppocr, sqnr } from './judged.js';

const THREADS = 2;
const RUNS = 41;
const root = new URL('..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'onnx-compress-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Recipes for models with data, and for those made of products. */
const [CALIBRATED, FEW] = [1, 2];
const IN_README = [
  'digits-vit | --int8',
  'digits-cnn | --int8 --calibrate',
  'charlm | --int8',
  'charlm | --int4 --calibrate',
  'PP-OCRv4 rec | --int8',
  'linear-1024 (synthetic) | --int8',
];
const RECIPES = [
  ['--int8', [quantize()]],
  ['prune --l1 0.4, --int8', [prune({ method: 'l1', amount: 0.4 }), quantize()]],
  ['--int8 --weights-only', [quantize({ weightsOnly: true })]],
  ['--int8 --calibrate', ['--int8'], CALIBRATED],
  ['--int4', ['--int4'], FEW],
  ['--int4 --calibrate', ['--int4'], FEW | CALIBRATED],
];

/** The first `rows` rows of every input. */
function feedsOf(inputs, rows) {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { dims, data }]) => {
      const row = data.length / dims[0];
      const wanted = Math.min(rows, dims[0]);
      const type = data instanceof BigInt64Array ? 'int64' : 'float32';
      return [name, new Tensor(type, data.slice(0, wanted * row), [wanted, ...dims.slice(1)])];
    }),
  );
}

/** Threads do not spin: those of one model would take the processors from the other, which runs in turn with it. */
async function open(path) {
  const extra = { session: { intra_op: { allow_spinning: '0' } } };
  return InferenceSession.create(path, { intraOpNumThreads: THREADS, logSeverityLevel: 3, extra });
}

async function once(session, feeds) {
  const start = performance.now();
  const outputs = await session.run(feeds);
  return [performance.now() - start, outputs[session.outputNames[0]]];
}

/** Median of small/float times over alternating runs. */
async function timeRatio(float, small, feeds) {
  const ratios = [];
  for (let run = 0; run < RUNS + 5; run++) {
    const [a] = await once(float, feeds);
    const [b] = await once(small, feeds);
    if (run >= 5) ratios.push(b / a);
  }
  return ratios.sort((a, b) => a - b)[RUNS >> 1];
}

/**
 * How well the labels are met: the share of rows whose largest score is that of the label, or perplexity, one label for
 * each token.
 */
function score(output, labels, tokens) {
  const classes = output.dims.at(-1);
  let [right, bits] = [0, 0];
  for (let row = 0; row < labels.length; row++) {
    const scores = output.data.subarray(row * classes, (row + 1) * classes);
    const most = Math.max(...scores);
    const label = Number(labels[row]);
    if (scores.indexOf(most) === label) right++;
    bits += most - scores[label] + Math.log(scores.reduce((sum, one) => sum + Math.exp(one - most), 0));
  }
  return tokens ? Math.exp(bits / labels.length).toFixed(3) : `${((100 * right) / labels.length).toFixed(1)} %`;
}

const table = [];
function row(text) {
  console.log(text);
  table.push(text);
}

row('| model | recipe | size | of float | accuracy or perplexity (float) | SQNR | time, batch 1 | batch 32 |');
row('| --- | --- | --: | --: | --: | --: | --: | --: |');
for (const model of [
  fixture('digits-mlp'),
  fixture('digits-vit'),
  fixture('digits-cnn'),
  fixture('charlm'),
  ppocr(),
  await linear1024(folder),
]) {
  const float = await open(model.path);
  const all = feedsOf(model.inputs, Number.POSITIVE_INFINITY);
  const [, expected] = await once(float, all);
  for (const [recipe, passes, needs = 0] of RECIPES) {
    const path = join(folder, 'small.onnx');
    if ((needs & CALIBRATED && model.calibration === undefined) || (needs & FEW && !model.products)) continue;
    if (typeof passes[0] === 'string') {
      const data = needs & CALIBRATED ? ['--calibrate', model.calibration, '--no-check'] : [];
      const options = [...passes, ...data, '-q', '--force', '-o', path];
      execFileSync('node', [join(root, 'bin/compress.js'), 'quantize', ...options, model.path]);
    } else {
      const map = await readModel(model.path);
      await transform(map, ...passes);
      await writeModel(map, path, { overwrite: true });
      await map.close();
    }
    const small = await open(path);
    const [, output] = await once(small, all);
    const [before, after] = [model.path, path].map((file) => statSync(file).size);
    const scored =
      model.labels && [output, expected].map((one) => score(one, model.labels.data, model.labels.dims.length > 1));
    const met = scored ? `${scored[0]} (${scored[1]})` : '–';
    const times = [];
    for (const rows of [1, 32]) times.push(await timeRatio(float, small, feedsOf(model.inputs, rows)));
    const [one, many] = times.map((ratio) => `${ratio.toFixed(2)}×`);
    const rows = Object.values(model.inputs)[0].dims[0];
    row(
      `| ${model.name} | ${recipe} | ${(after / 1000).toFixed(0)} kB | ${((100 * after) / before).toFixed(1)} % | ${met} | ` +
        `${sqnr(expected.data, output.data).toFixed(1)} dB | ${one} | ${rows < 32 ? '–' : many} |`,
    );
    await small.release();
  }
  await float.release();
}
if (process.argv.includes('--readme')) {
  put('docs/measured.md', 'bench', table);
  put('README.md', 'bench-short', shortened(table));
}

/** Puts lines between the two comments of a page that have this name. */
function put(page, name, lines) {
  const path = join(root, page);
  const text = readFileSync(path, 'utf8');
  const place = new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*?(<!-- /${name} -->)`);
  if (!place.test(text)) throw new Error(`${page} has no place for the table`);
  writeFileSync(
    path,
    text.replace(place, (_, start, end) => `${start}${lines.join('\n')}\n${end}`),
  );
}

/** The rows of README.md, without the size in bytes. */
function shortened([head, line, ...rows]) {
  const chosen = rows.filter((one) => IN_README.some((start) => one.startsWith(`| ${start} |`)));
  return [head, line, ...chosen].map((one) => `|${one.split('|').toSpliced(0, 1).toSpliced(2, 1).join('|')}`);
}
