// What few bits keep of trained models, and what they cost: size, SQNR of the outputs on test data, time of a run.
//   npm run build && node benchmarks/lowbits.js [NAME …]
// Of fixtures/NAME.onnx with NAME-calib.npz and NAME-test.npz; digits-vit, digits-mlp and charlm where none is named.
// Writes the table of docs/passes/int4.md. A name may be a path: /models/mine.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const root = new URL('..', import.meta.url).pathname;
const named = process.argv.slice(2);
const models = named.length > 0 ? named : ['digits-vit', 'digits-mlp', 'charlm'];
const folder = mkdtempSync(join(tmpdir(), 'lowbits-'));

const WAYS = [
  ['`--int8`', []],
  ['`--bits 8 --method gptq`', ['--bits', '8', '--method', 'gptq'], true],
  ['`--int4`', ['--int4']],
  ['`--int4 --calibrate`', ['--int4'], true],
  ['`--int4 --form nbits`', ['--int4', '--form', 'nbits']],
  ['`--int4 --form nbits --calibrate`', ['--int4', '--form', 'nbits'], true],
  ['`--int4 --asymmetric --calibrate`', ['--int4', '--asymmetric'], true],
  ['`--int4 --form folded --calibrate`', ['--int4', '--form', 'folded'], true],
  ['`--bits 2 --calibrate`', ['--bits', '2'], true],
];

function compress(...args) {
  const done = spawnSync(process.execPath, [join(root, 'bin/compress.js'), ...args], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${args.join(' ')}: ${done.stderr}`);
  return done.stdout;
}

const lines = [];
for (const model of models) {
  const base = model.includes('/') ? model : join(root, 'fixtures', model);
  const float = `${base}.onnx`;
  lines.push(`| ${basename(model)} | size | dB | time, 1 row | 32 rows |`, '| --- | --: | --: | --: | --: |');
  for (const [name, options, data = false] of WAYS) {
    const out = join(folder, 'out.onnx');
    const calibrate = data ? ['--calibrate', `${base}-calib.npz`, '--no-check'] : [];
    compress('quantize', ...options, ...calibrate, float, '-o', out, '--force', '-q');
    const found = JSON.parse(compress('verify', float, out, '--data', `${base}-test.npz`, '--json'));
    const times = JSON.parse(
      compress('bench', float, out, '--batch', '1,32', '--threads', '1', '--seconds', '1', '--json'),
    );
    const sqnr = Math.min(...found.outputs.map((one) => one.sqnr));
    const ratios = times.batches.map(({ models: [, quantized] }) => quantized.ratio.median);
    const size = (100 * statSync(out).size) / statSync(float).size;
    lines.push(
      `| ${name} | ${size.toFixed(1)} % | ${sqnr.toFixed(1)} | ${ratios.map((one) => one.toFixed(2)).join(' | ')} |`,
    );
    process.stderr.write(`${lines.at(-1)}\n`);
  }
  lines.push('');
}
rmSync(folder, { recursive: true });
process.stdout.write(`${lines.join('\n')}\n`);
if (named.length === 0) {
  const page = join(root, 'docs/passes/int4.md');
  const text = readFileSync(page, 'utf8');
  writeFileSync(
    page,
    text.replace(
      /<!-- lowbits -->[\s\S]*<!-- \/lowbits -->/,
      () => `<!-- lowbits -->\n${lines.join('\n')}<!-- /lowbits -->`,
    ),
  );
}
