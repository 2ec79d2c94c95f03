// Ends runs at random moments. Afterwards the output must be absent, complete, or the one that was there; the input
// unchanged; and nothing else there, in the folder of the output or that for temporary files. After SIGKILL the next
// run clears up, says so, and finishes its own work.
import { copyFileSync, createReadStream, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { listing, ROOT, same, sparseModel, stamp, start, workplace } from './support.js';

const VERBS = {
  quantize: ['quantize', '--int8'],
  prune: ['prune', '--l1', '0.4'],
  copy: ['copy'],
};
const MODES = { '-o': [], '--external-data': ['--external-data'], '--force': ['--force', '--external-data'] };
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGKILL: 'SIGKILL' };

/** Runs every verb with every mode and signal; `report` gets a line for each combination. */
export async function signals(parent, { moments, seed, megabytes }, report) {
  const random = xoroshiro128plus(seed);
  const model = join(parent, 'input.onnx');
  sparseModel(model, megabytes);
  const before = stamp(model);
  for (const [verb, words] of Object.entries(VERBS)) {
    for (const [mode, flags] of Object.entries(MODES)) {
      const args = [...words, model, ...flags, '-q'];
      const reference = await finished(parent, args, mode);
      for (const signal of Object.keys(SIGNALS)) {
        const counts = { absent: 0, complete: 0, old: 0, leftBehind: 0 };
        const faults = [];
        for (let one = 0; one < moments; one++) {
          // The last fifth comes when the bytes are there and the names are given.
          const late = one >= moments * 0.8;
          const delay = uniformInt(random, 0, late ? 8 : Math.ceil(reference.took * 1.05));
          const outcome = await interrupted(parent, args, { mode, signal, delay, late, reference });
          counts[outcome.state]++;
          if (outcome.leftBehind) counts.leftBehind++;
          if (stamp(model) !== before) outcome.faults.push('the input changed');
          for (const fault of outcome.faults) faults.push(`${delay} ms${late ? ' late' : ''}: ${fault}`);
        }
        report({ fault: signal, command: `${verb} ${mode}`, tries: moments, ...counts, faults });
      }
      rmSync(reference.folder, { recursive: true });
    }
  }
  await others(parent, model, random, moments, report);
  rmSync(model);
}

/** A run that nobody interrupts: what it makes, and how long it takes. */
async function finished(parent, args, mode) {
  const place = workplace(parent);
  if (mode === '--force') oldPair(place.out);
  const began = performance.now();
  const { ended, said } = await start([...args, '-o', 'm.onnx'], { cwd: place.out, tmp: place.tmp }).ended;
  if (ended !== 0) throw new Error(`${args.join(' ')}: ${said}`);
  return { ...place, took: performance.now() - began };
}

/** Files that were there before: a model with its data, both small. */
function oldPair(out) {
  for (const name of ['m.onnx', 'm.onnx.data']) writeFileSync(join(out, name), `old ${name}`);
}

async function interrupted(parent, args, { mode, signal, delay, late, reference }) {
  const place = workplace(parent);
  if (mode === '--force') oldPair(place.out);
  const { child, ended } = start([...args, '-o', 'm.onnx'], { cwd: place.out, tmp: place.tmp });
  let over = false;
  ended.then(() => {
    over = true;
  });
  if (late) await untilWritten(place.out, reference.out, () => over);
  await new Promise((resolve) => setTimeout(resolve, delay));
  child.kill(signal);
  const { ended: how, said } = await ended;
  const faults = [];
  if (how !== 0 && how !== SIGNALS[signal] && how !== signal) faults.push(`ended with ${how}: ${said}`);
  // A signal before the program has its handler ends it at once; it has made nothing by then.
  const names = listing(place.out);
  const hidden = names.filter((name) => name.startsWith('.'));
  const leftBehind = hidden.length + listing(place.tmp).length > 0;
  if (leftBehind && signal !== 'SIGKILL') faults.push(`left ${[...hidden, ...listing(place.tmp)]}`);
  let state = stateOf(place.out, reference.out, faults);
  if (signal === 'SIGKILL') {
    // What a next run puts back counts: nothing was lost.
    const restorable = hidden.some((name) => name.endsWith('.old'));
    faults.push(...(await nextRun(place, leftBehind, restorable)));
    if (mode === '--force' && state === 'absent' && !restorable) faults.push('the old model is lost');
  } else if (mode === '--force' && state === 'absent') faults.push('the old model is lost');
  if (signal !== 'SIGKILL' && state === 'absent' && names.length > 0) faults.push(`${names} without a model`);
  rmSync(place.folder, { recursive: true, force: true });
  state ??= 'absent';
  return { state, leftBehind, faults };
}

/** Waits until the hidden file of the model's data has all its bytes. */
async function untilWritten(out, reference, over) {
  const most = Math.max(...readdirSync(reference).map((name) => statSync(join(reference, name)).size));
  const isFull = (name) => {
    try {
      return statSync(join(out, name)).size >= most;
    } catch {
      return false;
    }
  };
  while (!over() && !listing(out).some(isFull)) await new Promise((resolve) => setImmediate(resolve));
}

/** Which model lies there: none, the new one with its data, or the old one with its own. */
function stateOf(out, reference, faults) {
  const names = listing(out).filter((name) => !name.startsWith('.'));
  if (!names.includes('m.onnx')) return 'absent';
  const isOld = statSync(join(out, 'm.onnx')).size === 'old m.onnx'.length;
  if (isOld) {
    if (!names.includes('m.onnx.data') || statSync(join(out, 'm.onnx.data')).size !== 'old m.onnx.data'.length) {
      faults.push('the old model without its data');
    }
    return 'old';
  }
  for (const name of listing(reference))
    if (!same(join(out, name), join(reference, name))) faults.push(`${name} is not complete`);
  return 'complete';
}

/** Copies a small model to the same output: what was left must go, and be told. */
async function nextRun({ out, tmp }, leftBehind, restorable) {
  const small = join(ROOT, 'fixtures/mymodel.onnx');
  const hadHidden = listing(out).some((name) => name.startsWith('.'));
  const { ended, said } = await start(['copy', small, '-o', 'm.onnx', '--force'], { cwd: out, tmp }).ended;
  const faults = [];
  if (ended !== 0) faults.push(`the next run ended with ${ended}: ${said}`);
  if (!same(join(out, 'm.onnx'), small)) faults.push('the next run wrote something else');
  const left = listing(out).filter((name) => name.startsWith('.'));
  if (left.length > 0) faults.push(`the next run left ${left}`);
  if (hadHidden && !/note: (removed|put back)/.test(said)) faults.push(`the next run said nothing: ${said}`);
  if (!leftBehind && /note: /.test(said)) faults.push(`the next run found what was not there: ${said}`);
  if (restorable && !/put back|removed/.test(said)) faults.push('nothing was put back');
  return faults;
}

/** A model that comes through a pipe, and a calibration, which has a folder of its own in TMPDIR. */
async function others(parent, model, random, moments, report) {
  const digits = join(ROOT, 'fixtures/digits-cnn-bn.onnx');
  const commands = {
    'quantize < pipe': { args: ['quantize', '--int8', '-q', '-o', 'm.onnx'], input: model, most: 1500 },
    'quantize --calibrate': {
      args: ['quantize', '--int8', '--calibrate', 'random', '-q', digits, '-o', 'm.onnx'],
      most: 900,
    },
  };
  for (const [command, { args, input, most }] of Object.entries(commands)) {
    for (const signal of ['SIGTERM', 'SIGKILL']) {
      const counts = { absent: 0, complete: 0, old: 0, leftBehind: 0 };
      const faults = [];
      for (let one = 0; one < moments; one++) {
        const place = workplace(parent);
        const where = {
          cwd: place.out,
          tmp: place.tmp,
          stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'pipe'],
        };
        const { child, ended } = start(args, where);
        if (input !== undefined) {
          child.stdin.on('error', () => {});
          createReadStream(input).pipe(child.stdin);
        }
        await new Promise((resolve) => setTimeout(resolve, uniformInt(random, 0, most)));
        child.kill(signal);
        await ended;
        const left = [...listing(place.out).filter((name) => name.startsWith('.')), ...listing(place.tmp)];
        if (left.length > 0) counts.leftBehind++;
        if (left.length > 0 && signal !== 'SIGKILL') faults.push(`left ${left}`);
        counts[listing(place.out).includes('m.onnx') ? 'complete' : 'absent']++;
        if (signal === 'SIGKILL') {
          copyFileSync(digits, join(place.folder, 'd.onnx'));
          const again = [
            'quantize',
            '--int8',
            '--calibrate',
            'random',
            '-q',
            join(place.folder, 'd.onnx'),
            '-o',
            'm.onnx',
            '--force',
          ];
          const { ended: how, said } = await start(again, { cwd: place.out, tmp: place.tmp }).ended;
          if (how !== 0 || listing(place.tmp).length > 0)
            faults.push(`the next run: ${how} ${listing(place.tmp)} ${said}`);
          if (left.length > 0 && !/note: removed/.test(said)) faults.push('the next run said nothing');
        }
        rmSync(place.folder, { recursive: true, force: true });
      }
      report({ fault: signal, command, tries: moments, ...counts, faults });
    }
  }
}
