// Damages real files in many ways and reads what comes out: models, with every verb over them, half of the cases
// damaged as bytes, half as graphs (nodes doubled, turned around and renamed, wrong ranks, cycles, missing inputs, in a
// file that is well formed); or data files and saved ranges, half as bytes and half in what they say.
//   npm run build && node benchmarks/fuzz.js [models|data] [--cases 200000] [--jobs 2] [--seed 1]
// Each case must end in what is right (a model that is copied byte for byte and can be written anew) or in a sentence:
// no stack trace, no internal error, no 2 seconds of computing, no 300 MB. Writes benchmarks/results/fuzz.json. Files
// of cases that fail are kept in benchmarks/failures/.
import { fork } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { dataCases } from './fuzz/data.js';
import { modelCases } from './fuzz/models.js';

const root = new URL('..', import.meta.url).pathname;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cases: { type: 'string', default: '200000' },
    jobs: { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
    worker: { type: 'string' },
  },
});
const SLOW = 2000;
const LARGE = 300;
/**
 * What V8 may hold, in MiB. Without a bound it leaves the garbage of thousands of cases where it is, because there is
 * room; a case that needs more than this ends its process, which is a fault as well.
 */
const HEAP = ['--max-old-space-size=128'];
/** Failing files that are kept. */
const KEPT = 20;

const add = (counts, key) => {
  counts[key] = (counts[key] ?? 0) + 1;
};

async function work(mode, index, jobs) {
  const lib = await import(join(root, 'dist/index.node.js'));
  const cases = mode === 'data' ? dataCases(lib) : await modelCases(lib, root);
  const counts = { accepted: 0, refused: 0, refusedBy: {}, acceptedBy: {}, slowest: 0 };
  const total = Number(values.cases);
  let highest = 0;
  for (let one = 0; one < total; one++) {
    // Not every jobs-th case: even and odd ones are damaged differently.
    if (Math.floor(one / 2) % jobs !== index) continue;
    // Seeds that are neighbours begin with numbers that are: multiplied by an odd number they are none.
    const random = xoroshiro128plus(Math.imul(Number(values.seed) * 1_000_003 + one, 0x9e3779b1));
    for (let skip = 0; skip < 8; skip++) random.next();
    const { bytes, ending, what, kind, run } = cases.of(one, random);
    const started = process.cpuUsage();
    let fault;
    try {
      fault = await run();
      counts.accepted++;
      add(counts.acceptedBy, kind);
    } catch (cause) {
      if (cause?.name !== 'CompressError' || cause.code === 'internal') fault = cause.stack ?? String(cause);
      else {
        counts.refused++;
        add(counts.refusedBy, cause.code);
      }
    }
    // Computing time: others use this machine as well.
    const { user, system } = process.cpuUsage(started);
    const took = (user + system) / 1000;
    counts.slowest = Math.max(counts.slowest, took);
    if (took > SLOW) fault ??= `took ${took} ms`;
    // The most this process ever held, not what it holds now: a case that takes much and gives it back is seen as well.
    const peak = process.resourceUsage().maxRSS * 1024;
    if (peak > LARGE * 1e6 && peak > highest) fault ??= `holds ${peak} bytes`;
    highest = Math.max(highest, peak);
    if (fault !== undefined) {
      process.send({ fault, case: one, what, ending, bytes: Buffer.from(bytes).toString('base64') });
    }
    if (one % 200 < 4) process.send({ done: one });
  }
  counts.peak = process.resourceUsage().maxRSS / 1024;
  process.send({ counts });
}

/** Runs the cases in processes of their own, so that one that ends or hangs is seen. */
async function manage(mode) {
  const jobs = Number(values.jobs);
  const started = Date.now();
  const faults = [];
  const all = [];
  const note = (message) => {
    faults.push(message.fault);
    if (faults.length > KEPT) return;
    console.error(`case ${message.case} ${message.what}: ${message.fault}`);
    if (message.bytes === undefined) return;
    const folder = join(root, 'benchmarks/failures');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${mode}-${message.case}.${message.ending}`), Buffer.from(message.bytes, 'base64'));
  };
  const run = (index) => {
    const child = fork(process.argv[1], [...process.argv.slice(2), '--worker', String(index)], { execArgv: HEAP });
    let last = Date.now();
    let done = 0;
    const watch = setInterval(() => {
      if (Date.now() - last < 300_000) return;
      // The cases after this one; with --seed they are the same again.
      note({ fault: `worker ${index} hangs`, case: done, what: 'or one soon after' });
      clearInterval(watch);
      child.kill('SIGKILL');
    }, 5000);
    child.on('message', (message) => {
      last = Date.now();
      if (message.fault !== undefined) note(message);
      else if (message.counts !== undefined) all.push(message.counts);
      else {
        done = message.done;
        if (process.stderr.isTTY) process.stderr.write(`\r${done}`);
      }
    });
    return new Promise((resolve) =>
      child.on('exit', (code) => {
        clearInterval(watch);
        if (code !== 0) faults.push(`worker ${index} ended with ${code}`);
        resolve();
      }),
    );
  };
  await Promise.all(Array.from({ length: jobs }, (_, index) => run(index)));
  const sum = (name) => all.reduce((total, one) => total + one[name], 0);
  const merged = (name) => {
    const out = {};
    for (const one of all) for (const [key, count] of Object.entries(one[name])) out[key] = (out[key] ?? 0) + count;
    return Object.fromEntries(Object.entries(out).sort());
  };
  return {
    cases: Number(values.cases),
    seed: Number(values.seed),
    accepted: sum('accepted'),
    refused: sum('refused'),
    refusedBy: merged('refusedBy'),
    acceptedBy: merged('acceptedBy'),
    slowestMilliseconds: Math.round(Math.max(...all.map((one) => one.slowest))),
    peakMegabytes: Math.round(Math.max(...all.map((one) => one.peak))),
    faults: faults.length,
    seconds: Math.round((Date.now() - started) / 1000),
  };
}

const mode = positionals[0] ?? 'models';
if (mode !== 'models' && mode !== 'data') throw new Error('usage: node benchmarks/fuzz.js [models|data] [options]');
if (values.worker !== undefined) {
  await work(mode, Number(values.worker), Number(values.jobs));
} else {
  const result = await manage(mode);
  const path = join(root, 'benchmarks/results/fuzz.json');
  const { models, data } = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, `${JSON.stringify({ models, data, [mode]: result }, null, 2)}\n`);
  console.log(JSON.stringify(result, null, 2));
  process.exitCode = result.faults === 0 ? 0 : 1;
}
