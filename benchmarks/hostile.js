// Models that are well formed and mean harm: chains and fans of a hundred thousand nodes, functions that call each
// other into the billions, shapes without end, cycles, names in megabytes. Every verb must end in computing time that
// grows no faster than the model, or in a sentence.
//   npm run build && node benchmarks/hostile.js [case …] [--size 50000]
// Prints seconds and megabytes of each, each case in a process of its own; writes benchmarks/results/hostile.json.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hostileModels } from './fuzz/hostile.js';

const root = new URL('..', import.meta.url).pathname;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { size: { type: 'string', default: '50000' }, worker: { type: 'boolean', default: false } },
});
/** Seconds of computing and megabytes that no case may need. */
const SLOW = 10;
const LARGE = 1500;

const passes = (lib) => ({
  copy: [],
  prune: [lib.prune({ method: 'l1', amount: 0.3 })],
  'prune --scope global': [lib.prune({ method: 'l2', amount: 0.3, scope: 'global' })],
  quantize: [lib.quantize()],
  'quantize --weights-only': [lib.quantize({ weightsOnly: true })],
  'quantize --contrib': [lib.quantize({ allowContrib: true })],
  fold: [lib.fold()],
  equalize: [lib.equalize()],
  convert: [lib.convert({ opset: 21 })],
});

async function work(name) {
  const lib = await import(join(root, 'dist/index.node.js'));
  const bytes = hostileModels(Number(values.size))[name]();
  const verbs = {};
  for (const verb of Object.keys(passes(lib))) {
    const started = process.cpuUsage();
    let ended = 'written';
    try {
      const model = await lib.readModel(bytes);
      if (verb !== 'copy') await lib.transform(model, ...passes(lib)[verb]);
      const sink = lib.bytesSink();
      await lib.writeModel(model, sink);
      if (verb === 'copy' && Buffer.compare(sink.bytes(), bytes) !== 0) ended = 'FAULT: the copy differs';
      await lib.readModel(sink.bytes());
    } catch (cause) {
      const known = cause instanceof lib.CompressError && cause.code !== 'internal';
      ended = known ? cause.message.slice(0, 160) : `FAULT: ${cause.stack}`;
    }
    const { user, system } = process.cpuUsage(started);
    const seconds = Math.round((user + system) / 1e4) / 100;
    verbs[verb] = { seconds, ended };
  }
  const megabytes = Math.round(process.resourceUsage().maxRSS / 1024);
  process.stdout.write(JSON.stringify({ bytes: bytes.length, megabytes, verbs }));
}

if (values.worker) await work(positionals[0]);
else {
  const results = {};
  let bad = 0;
  for (const name of positionals.length > 0 ? positionals : Object.keys(hostileModels(1))) {
    const args = [process.argv[1], name, '--size', values.size, '--worker'];
    const done = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 600_000, maxBuffer: 1 << 26 });
    const result = done.status === 0 ? JSON.parse(done.stdout) : { fault: done.signal ?? done.stderr.slice(-2000) };
    const slow = Object.entries(result.verbs ?? {}).filter(
      ([, one]) => one.seconds > SLOW || one.ended.startsWith('FAULT'),
    );
    if (result.fault !== undefined || result.megabytes > LARGE || slow.length > 0) bad++;
    results[name] = result;
    console.log(`${name}: ${result.bytes} bytes, ${result.megabytes} MB ${result.fault ?? ''}`);
    for (const [verb, { seconds, ended }] of Object.entries(result.verbs ?? {}))
      console.log(`  ${verb}: ${seconds} s, ${ended}`);
  }
  const path = join(root, 'benchmarks/results/hostile.json');
  if (positionals.length === 0)
    writeFileSync(path, `${JSON.stringify({ size: Number(values.size), ...results }, null, 1)}\n`);
  process.exitCode = bad === 0 ? 0 : 1;
}
