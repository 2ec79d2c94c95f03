// Disks that are full or read-only, streams that are full or closed, files and folders that change or go while they are
// used. Every case must end in a sentence and exit code 1, with no output and nothing left behind, or go on as if
// nothing had been.
import { spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSentence, listing, manyFiles, ROOT, shell, sparseModel, start, workplace } from './support.js';

const small = join(ROOT, 'fixtures/mymodel.onnx');
const digits = join(ROOT, 'fixtures/digits-cnn-bn.onnx');

/** Runs every case; `report` gets a line for each, with what it said. */
export async function disks(parent, { megabytes }, report) {
  const big = join(parent, 'input.onnx');
  sparseModel(big, megabytes);
  chmodSync(big, 0o644);
  for (const one of cases(big)) await attempt(parent, one, report);
  for (const one of changes()) await changed(parent, one, megabytes, report);
  rmSync(big);
}

const FULL = 'no space left on the disk';

/**
 * Lines of bash; `full` is a small disk, `frozen` a read-only one. `code` is 1 and nothing is left, unless they say
 * otherwise.
 */
function cases(big) {
  return [
    { fault: 'disk full: model file', line: `onnx-compress copy ${big} -o full/m.onnx`, says: FULL },
    {
      fault: 'disk full: model file, written by threads',
      line: `onnx-compress prune --l1 0.4 ${big} -o full/m.onnx`,
      says: FULL,
    },
    {
      fault: 'disk full: model file, written by threads',
      line: `onnx-compress quantize --int8 ${big} -o full/m.onnx`,
      says: FULL,
    },
    { fault: 'disk full: data file', line: `onnx-compress copy --external-data ${big} -o full/m.onnx`, says: FULL },
    {
      fault: 'disk full: data file',
      line: `onnx-compress quantize --int8 --external-data ${big} -o full/m.onnx`,
      says: FULL,
    },
    {
      fault: 'disk full: standard input spooled',
      line: `cat ${big} | TMPDIR=full onnx-compress copy -o out/m.onnx`,
      says: FULL,
    },
    {
      fault: 'disk full: standard output',
      line: `onnx-compress prune --l1 0.4 ${big} > full/m.onnx`,
      says: FULL,
      left: ['m.onnx'],
    },
    {
      fault: 'no folder for temporary files',
      line: `TMPDIR=none onnx-compress quantize --int8 --calibrate random ${digits} -o out/m.onnx`,
      says: 'no such file',
    },
    {
      fault: 'disk full: model and ranges',
      line: `dd if=/dev/zero of=full/fill bs=1M 2>/dev/null; onnx-compress quantize --int8 --calibrate random --save-ranges full/r.json ${digits} -o full/m.onnx`,
      says: FULL,
      left: ['fill'],
    },
    {
      fault: 'disk full: calibration',
      line: `dd if=/dev/zero of=full/fill bs=1M 2>/dev/null; TMPDIR=full onnx-compress quantize --int8 --calibrate random ${digits} -o out/m.onnx`,
      says: FULL,
      left: ['fill'],
    },
    {
      fault: 'largest file size',
      line: `ulimit -f 1000; onnx-compress copy ${big} -o out/m.onnx`,
      says: 'too large',
    },
    { fault: 'read-only disk', line: `onnx-compress copy ${small} -o frozen/m.onnx`, says: 'read-only' },
    {
      fault: 'read-only folder',
      line: `onnx-compress copy ${small} -o out/m.onnx`,
      user: 65534,
      says: 'permission denied',
    },
    {
      fault: 'unreadable model',
      line: `onnx-compress copy secret.onnx -o tmp/m.onnx`,
      user: 65534,
      says: 'permission denied',
    },
    {
      fault: 'too many open files',
      line: 'ulimit -n 100; onnx-compress copy many.onnx -o out/m.onnx',
      prepare: (folder) => manyFiles(folder, 300),
      says: 'too many open files',
    },
    { fault: '/dev/full: standard output', line: `onnx-compress copy ${big} > /dev/full`, says: FULL },
    {
      fault: '/dev/full: standard output',
      line: `onnx-compress quantize --int8 ${small} -o out/m.onnx --json > /dev/full`,
      silent: true,
      left: ['m.onnx'],
    },
    {
      fault: '/dev/full: standard error',
      line: `onnx-compress quantize --int8 ${small} -o out/m.onnx 2> /dev/full`,
      silent: true,
      left: ['m.onnx'],
    },
    { fault: '/dev/full: help', line: 'onnx-compress --help > /dev/full', silent: true },
    { fault: 'closed standard output', line: `onnx-compress copy ${small} >&-`, says: 'is closed' },
    {
      fault: 'closed standard output',
      line: `onnx-compress copy ${small} -o out/m.onnx >&-`,
      code: 0,
      left: ['m.onnx'],
    },
    {
      fault: 'closed standard error',
      line: `onnx-compress copy ${small} -o out/m.onnx 2>&-`,
      code: 0,
      left: ['m.onnx'],
    },
    { fault: 'closed standard input', line: 'onnx-compress copy -o out/m.onnx <&-', says: 'nothing arrived' },
    { fault: 'reader that stops', line: `onnx-compress copy ${big} | head -c 10 > /dev/null`, says: 'has stopped' },
    {
      fault: 'reader that stops',
      line: `onnx-compress prune --l1 0.4 ${big} | head -c 10 > /dev/null`,
      says: 'has stopped',
    },
    { fault: 'reader that stops: help', line: 'onnx-compress --help | head -c 10 > /dev/null', code: 0 },
  ];
}

async function attempt(parent, { fault, line, prepare, says, user, left = [], code = 1, silent = false }, report) {
  const { folder, out, tmp } = workplace(parent);
  const [full, frozen] = ['full', 'frozen'].map((name) => join(folder, name));
  for (const one of [full, frozen]) mkdirSync(one);
  const mounted = [];
  prepare?.(folder);
  const needed = [/full\//, /TMPDIR=full/].some((one) => one.test(line))
    ? 'size=32m'
    : line.includes('frozen/')
      ? 'ro'
      : '';
  const shown = line.replaceAll(join(ROOT, 'fixtures/'), '').replaceAll(`${parent}/`, '');
  try {
    if (needed !== '') {
      const on = needed === 'ro' ? frozen : full;
      if (spawnSync('mount', ['-t', 'tmpfs', '-o', needed, 'tmpfs', on]).status !== 0) {
        return report({ fault, command: shown, skipped: 'a disk cannot be mounted here' });
      }
      mounted.push(on);
    }
    if (user !== undefined) {
      if (process.getuid?.() !== 0)
        return report({ fault, command: shown, skipped: 'needs root, to become another user' });
      for (const one of [parent, folder, out]) chmodSync(one, 0o755);
      chmodSync(tmp, 0o777);
      writeFileSync(join(folder, 'secret.onnx'), 'x', { mode: 0o600 });
    }
    const { ended, said } = shell(line, { cwd: folder, tmp: line.includes('TMPDIR') ? undefined : tmp, user });
    const faults = [];
    if (ended !== code) faults.push(`ended with ${ended}`);
    if (ended === 1 && !silent && !isSentence(said)) faults.push(`said ${said}`);
    if (says !== undefined && !said.includes(says)) faults.push(`said ${said}`);
    const found = [out, tmp, full, frozen].flatMap(listing);
    if (JSON.stringify(found) !== JSON.stringify(left)) faults.push(`left ${found}`);
    if (found.some((name) => name.startsWith('.') || name.startsWith('onnx-compress-'))) faults.push(`left ${found}`);
    report({ fault, command: shown, ended, said: said.split('\n')[0].replaceAll(`${parent}/`, ''), faults });
  } finally {
    for (const one of mounted) spawnSync('umount', [one]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What happens to a model, or to the folder of the output, while a run is in the middle of it. */
function changes() {
  const verbs = [['copy'], ['prune', '--l1', '0.4'], ['quantize', '--int8']];
  return verbs.flatMap((words) => [
    { fault: 'model cut short', words, change: ({ model }) => truncateSync(model, 1 << 20), says: /shorter|changed/ },
    {
      fault: 'model appended to',
      words,
      change: ({ model }) => appendFileSync(model, 'x'),
      says: /was changed while it was read/,
    },
    {
      fault: 'model touched',
      words,
      change: ({ model }) => utimesSync(model, 1, 1),
      says: /was changed while it was read/,
    },
    { fault: 'model removed', words, change: ({ model }) => rmSync(model), code: 0 },
    {
      fault: 'folder of the output removed',
      words,
      change: ({ out }) => rmSync(out, { recursive: true }),
      says: /no such file|does not exist/,
    },
  ]);
}

async function changed(parent, { fault, words, change, says, code = 1 }, megabytes, report) {
  const place = workplace(parent);
  const model = join(place.folder, 'm.onnx');
  sparseModel(model, megabytes);
  const { ended, child } = start([...words, model, '-q', '-o', 'm.onnx'], { cwd: place.out, tmp: place.tmp });
  let over = false;
  ended.then(() => {
    over = true;
  });
  // Its hidden file is there: the model is open, and the bytes are on their way. It stands still for the change.
  while (!over && listing(place.out).length === 0) await new Promise((resolve) => setImmediate(resolve));
  child.kill('SIGSTOP');
  change({ ...place, model });
  child.kill('SIGCONT');
  const { ended: how, said } = await ended;
  const faults = [];
  if (how !== code) faults.push(`ended with ${how}`);
  if (says !== undefined && !(says.test(said) && isSentence(said))) faults.push(`said ${said}`);
  const left = [...listing(place.out), ...listing(place.tmp)];
  if (JSON.stringify(left) !== JSON.stringify(code === 0 ? ['m.onnx'] : [])) faults.push(`left ${left}`);
  report({ fault, command: words[0], ended: how, said: said.split('\n')[0].replaceAll(`${parent}/`, ''), faults });
  rmSync(place.folder, { recursive: true, force: true });
}
