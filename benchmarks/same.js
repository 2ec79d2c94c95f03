// Compares the files that two builds write, over all verbs and every fixture: node benchmarks/same.js OLD_ROOT
// [PATTERN] OLD_ROOT is a checkout that is built. Prints what differs, and exits with 1 where something does.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const [old, pattern = ''] = process.argv.slice(2);
if (old === undefined) throw new Error('which build to compare with? node benchmarks/same.js OLD_ROOT');
const root = new URL('..', import.meta.url).pathname;
const models = ['fixtures', 'fixtures/edge', 'fixtures/awkward']
  .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(root, folder, name)))
  .filter((path) => path.endsWith('.onnx') && path.includes(pattern));

const VERBS = [
  ...['copy', 'fold', 'pack', 'convert --opset 21', 'prune --l1 0.4', 'prune --l2 0.5 --global', 'prune --random 0.3'],
  ...[
    'prune --l2 1 --axis out',
    'prune --nm 2:4',
    'prune --channels 0.25',
    'quantize --int8',
    'quantize --weights-only',
  ],
  ...[
    'quantize --uint8',
    'quantize --int8 --format qoperator',
    'quantize --int8 --calibrate DATA',
    'prune --wanda 0.4 --calibrate DATA',
  ],
];

/** What a command leaves: the hash of its file, or its exit code and the first line of its error. */
function result(build, args, output) {
  const done = spawnSync(process.execPath, [join(build, 'bin/compress.js'), ...args, '-o', output, '-q'], {
    encoding: 'utf8',
  });
  const hash = existsSync(output) ? createHash('sha256').update(readFileSync(output)).digest('hex').slice(0, 16) : '';
  rmSync(output, { force: true });
  rmSync(`${output}.data`, { force: true });
  return done.status === 0 ? hash : `exit ${done.status}: ${done.stderr.split('\n')[0]}`;
}

const folder = mkdtempSync(join(tmpdir(), 'same-'));
let [compared, different] = [0, 0];
for (const model of models) {
  const data = model.replace(/\.onnx$/, '-calib.npz');
  for (const verb of VERBS) {
    if (verb.includes('DATA') && !existsSync(data)) continue;
    const args = [...verb.split(' ').map((one) => (one === 'DATA' ? data : one)), model];
    const [before, after] = [old, root].map((build) => result(build, args, join(folder, basename(model))));
    compared++;
    if (before === after) continue;
    different++;
    console.log(`${verb} ${basename(model)}\n  before ${before}\n  now    ${after}`);
  }
}
rmSync(folder, { recursive: true });
console.log(`${compared} files compared, ${different} differ`);
process.exitCode = different > 0 ? 1 : 0;
