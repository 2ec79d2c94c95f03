// What every fault needs: folders, models, runs of the command line and the state of files after them.
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import onnxProto from 'onnx-proto';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const BIN = join(ROOT, 'bin/compress.js');
const { onnx } = onnxProto;

/** One MatMul whose weight has so many MiB, all of it a hole in the file; enough, and threads do the work. */
export function sparseModel(path, mebibytes) {
  const columns = 1024;
  const rows = mebibytes * 256;
  const size = rows * columns * 4;
  const node = { opType: 'MatMul', input: ['x', 'w'], output: ['y'] };
  const graph = onnx.GraphProto.encode({
    name: 'g',
    node: [node],
    input: [{ name: 'x' }],
    output: [{ name: 'y' }],
  }).finish();
  const tensor = onnx.TensorProto.encode({ name: 'w', dims: [rows, columns], dataType: 1 }).finish();
  const raw = header(9, size);
  const weight = header(5, tensor.length + raw.length + size);
  const model = onnx.ModelProto.encode({ irVersion: 8, opsetImport: [{ domain: '', version: 17 }] }).finish();
  const length = graph.length + weight.length + tensor.length + raw.length + size;
  const head = Buffer.concat([model, header(7, length), graph, weight, tensor, raw]);
  const file = openSync(path, 'wx');
  writeSync(file, head);
  ftruncateSync(file, head.length + size);
  closeSync(file);
}

/** A model with so many weights, each in a data file of its own. */
export function manyFiles(folder, count) {
  const initializer = Array.from({ length: count }, (_, index) => {
    const location = `w${index}.bin`;
    writeFileSync(join(folder, location), new Uint8Array(4));
    return {
      name: `w${index}`,
      dims: [1],
      dataType: 1,
      dataLocation: 1,
      externalData: [{ key: 'location', value: location }],
    };
  });
  const node = initializer.map(({ name }) => ({ opType: 'Identity', input: [name], output: [`y_${name}`] }));
  const graph = { name: 'g', node, initializer, output: [{ name: 'y_w0' }] };
  const model = { irVersion: 8, opsetImport: [{ domain: '', version: 17 }], graph };
  writeFileSync(join(folder, 'many.onnx'), onnx.ModelProto.encode(onnx.ModelProto.fromObject(model)).finish());
}

/** Tag and length of a field. */
function header(field, byteLength) {
  const bytes = [(field << 3) | 2];
  for (let left = byteLength; ; left = Math.floor(left / 128)) {
    bytes.push(left < 128 ? left : (left % 128) | 128);
    if (left < 128) return Uint8Array.from(bytes);
  }
}

/** An empty folder in another, with one for TMPDIR beside it. */
export function workplace(parent) {
  const folder = mkdtempSync(join(parent, 'case-'));
  const [out, tmp] = ['out', 'tmp'].map((name) => join(folder, name));
  mkdirSync(out);
  mkdirSync(tmp);
  return { folder, out, tmp };
}

/** A run that has not ended; `ended` gives its exit code or signal, and what it said. */
export function start(args, { cwd, tmp, stdio = ['ignore', 'ignore', 'pipe'] }) {
  const child = spawn(process.execPath, [BIN, ...args], { cwd, stdio, env: { ...process.env, TMPDIR: tmp } });
  let said = '';
  child.stderr?.on('data', (text) => {
    said += text;
  });
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve({ ended: code ?? signal, said })));
  return { child, ended };
}

/** A line of bash in which `onnx-compress` is on the path. */
export function shell(line, { cwd, tmp, user }) {
  const compress = `onnx-compress() { "${process.execPath}" "${BIN}" "$@"; }`;
  // Without its start-up files, which speak too.
  const command = ['bash', '--norc', '--noprofile', '-c', `set -o pipefail; ${compress}; ${line}`];
  const asUser = user === undefined ? command : ['setpriv', `--reuid=${user}`, '--clear-groups', ...command];
  const done = spawnSync(asUser[0], asUser.slice(1), {
    cwd,
    env: { ...process.env, TMPDIR: tmp, HOME: tmp },
    encoding: 'utf8',
  });
  return { ended: done.status ?? done.signal, said: done.stderr.replaceAll(ROOT, ''), out: done.stdout };
}

/** Names in a folder, sorted; none where it is not there. */
export function listing(folder) {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

export const same = (one, other) => spawnSync('cmp', ['-s', one, other]).status === 0;

/** What would differ if a file were written, replaced or touched. */
export function stamp(path) {
  const { size, mtimeMs, ino } = statSync(path);
  return `${size} ${mtimeMs} ${ino}`;
}

/** Whether what a run said is a sentence: an error of ours with at most a hint, no stack trace, no internal error. */
export function isSentence(said) {
  return /^error: .+\n( {2}.+\n)?$/m.test(said) && !/\n\s+at |bug in onnx-compress|internal/.test(said);
}
