// Compares the output of this build with that of another one: files, data files, reports and exit codes, byte for byte.
//   npm run build && node scripts/same-output.js /path/to/another/checkout [model.onnx …]
// Without models: all fixtures. For changes that should only make things faster.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = new URL('..', import.meta.url).pathname;
const [other, ...named] = process.argv.slice(2);
if (other === undefined) throw new Error('usage: node scripts/same-output.js OTHER [model.onnx …]');
const fixtures = ['fixtures', 'fixtures/edge'].flatMap((folder) =>
  readdirSync(join(root, folder)).flatMap((name) => (name.endsWith('.onnx') ? [join(root, folder, name)] : [])),
);
const models = named.length > 0 ? named.map((path) => resolve(path)) : fixtures;

const COMMANDS = [
  'copy --json',
  'copy --external-data',
  'quantize --int8 --json',
  'quantize --uint8 --per-tensor',
  'quantize --weights-only',
  'prune --l1 0.4 --json',
  'prune --l1 0.9 --scope global --json',
  'prune --l2 7 --allow-unchanged',
  'prune --random 0.3 --seed 5',
  'fold --json',
];
/** The same from standard input to standard output. */
const PIPES = ['copy', 'quantize --int8', 'prune --l1 0.4'];

const folder = mkdtempSync(join(tmpdir(), 'onnx-compress-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

function outcome(build, command, model, piped) {
  const cwd = join(folder, 'run');
  rmSync(cwd, { recursive: true, force: true });
  mkdirSync(cwd);
  const bin = `"${process.execPath}" "${join(build, 'bin/compress.js')}"`;
  const line = piped ? `cat "${model}" | ${bin} ${command} > out.onnx` : `${bin} ${command} "${model}" -o out.onnx`;
  const { status, stdout, stderr } = spawnSync('bash', ['-o', 'pipefail', '-c', line], { cwd });
  const files = readdirSync(cwd).sort();
  const digests = files.map((name) => [name, spawnSync('sha256sum', [name], { cwd, encoding: 'utf8' }).stdout]);
  return { status, stdout: stdout.toString(), stderr: stderr.toString(), digests };
}

let [runs, different] = [0, 0];
for (const model of models) {
  for (const [command, piped] of [...COMMANDS.map((one) => [one, false]), ...PIPES.map((one) => [one, true])]) {
    const [one, two] = [root, other].map((build) => JSON.stringify(outcome(build, command, model, piped)));
    runs++;
    if (one === two) continue;
    different++;
    console.log(
      `${model}: ${command}${piped ? ' (piped)' : ''}\n  here:  ${one.slice(0, 600)}\n  other: ${two.slice(0, 600)}`,
    );
  }
}
console.log(`${runs} runs over ${models.length} models, ${different} different`);
process.exitCode = different === 0 ? 0 : 1;
