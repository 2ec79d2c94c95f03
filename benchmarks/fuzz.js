// Damages real model files in many ways and runs every verb over what comes out. Half of the cases are damaged as bytes, half as
// graphs: nodes doubled, turned around and renamed, wrong ranks, cycles, missing inputs, in a file that is well formed.
//   npm run build && node benchmarks/fuzz.js [--cases 200000] [--jobs 2] [--seed 1]
// Each case must end in a model that is copied byte for byte and can be written anew, or in a sentence: no stack trace, no
// internal error, no 2 seconds, no 300 MB. Writes benchmarks/results/fuzz.json. The first case that fails is kept as
// fuzz-failure.onnx.
import { fork } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import onnxProto from 'onnx-proto';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

const root = new URL('..', import.meta.url).pathname;
const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '200000' },
    jobs: { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
    worker: { type: 'string' },
  },
});
const SLOW = 2000;
const LARGE = 300;

function fixtures() {
  const folder = join(root, 'fixtures');
  const inside = ['edge', 'awkward'].flatMap((one) => readdirSync(join(folder, one)).map((name) => `${one}/${name}`));
  return ['mymodel.onnx', 'digits-cnn-bn.onnx', ...inside]
    .filter((name) => name.endsWith('.onnx') && name !== 'edge/external-data.onnx')
    .map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
}

/** One to four damages: bits, bytes, numbers that mean a lot, pieces cut out, doubled, or put elsewhere. */
function damage(file, random) {
  const below = (end) => uniformInt(random, 0, Math.max(0, end - 1));
  let bytes = Uint8Array.from(file);
  // Half of all damage lies in the first 600 bytes, where the structure is.
  const place = () => below(below(2) === 0 ? Math.min(600, bytes.length) : bytes.length);
  const kinds = [];
  for (let left = 1 + below(4); left > 0 && bytes.length > 0; left--) {
    const at = place();
    const kind = ['flip', 'set', 'number', 'cut', 'end', 'splice', 'double'][below(7)];
    kinds.push(kind);
    const length = 1 + below(below(2) === 0 ? 8 : 400);
    const join3 = (a, b, c) => Uint8Array.from(Buffer.concat([a, b, c]));
    if (kind === 'flip') bytes[at] ^= 1 << below(8);
    else if (kind === 'set') for (let i = at; i < Math.min(bytes.length, at + 8); i++) bytes[i] = below(256);
    else if (kind === 'number') {
      const number = [
        [0xff, 0xff, 0xff, 0xff, 0x0f],
        Array(9).fill(0xff).concat(1),
        [0x80, 0x80, 0x80, 0x80, 0x08],
        [0],
      ][below(4)];
      bytes = join3(bytes.subarray(0, at), Uint8Array.from(number), bytes.subarray(at + 1));
    } else if (kind === 'cut') bytes = join3(bytes.subarray(0, at), new Uint8Array(0), bytes.subarray(at + length));
    else if (kind === 'end') bytes = bytes.slice(0, Math.max(at, 1));
    else {
      const from = kind === 'double' ? at : place();
      bytes = join3(bytes.subarray(0, at), bytes.slice(from, from + length), bytes.subarray(at));
    }
  }
  return { bytes, kinds };
}

/** One to six changes of what the file says, in a file that says it well. */
function derange(file, random) {
  const below = (end) => uniformInt(random, 0, Math.max(0, end - 1));
  const pick = (list) => list[below(list.length)];
  const model = onnxProto.onnx.ModelProto.decode(file);
  const functions = model.functions.map(({ node }) => ({ node, initializer: [], input: [] }));
  const graphs = [model.graph, ...functions];
  for (const graph of graphs) {
    for (const node of graph.node) for (const one of node.attribute) if (one.g) graphs.push(one.g);
  }
  const kinds = [];
  const changes = {
    input: ({ node }) => {
      const names = [...node.flatMap((one) => [...one.input, ...one.output]), '', 'nowhere'];
      const one = pick(node);
      if (one?.input.length) one.input[below(one.input.length)] = pick(names);
    },
    output: ({ node }) => {
      const one = pick(node);
      if (one?.output.length) one.output[below(one.output.length)] = pick(node.flatMap((other) => other.output));
    },
    operator: ({ node }) => {
      const one = pick(node);
      const types =
        'MatMul Gemm Conv ConvTranspose Gather LSTM GRU Einsum Add Mul Transpose Reshape Identity Cast Squeeze Relu Softmax Clip Split BatchNormalization Constant DequantizeLinear If Loop __proto__'.split(
          ' ',
        );
      if (one) one.opType = pick(types);
    },
    double: ({ node }) => node.length > 0 && node.splice(below(node.length), 0, pick(node)),
    remove: ({ node }) => node.splice(below(node.length), 1),
    turn: ({ node }) => node.reverse(),
    dims: ({ initializer }) => {
      const one = pick(initializer);
      if (!one) return;
      const dims = one.dims.map(Number);
      one.dims = pick([
        dims.toReversed(),
        [dims.reduce((a, b) => a * b, 1)],
        [...dims, 1],
        [1, ...dims],
        [...dims, 0],
        dims.map((dim) => dim + 1),
      ]);
    },
    dtype: ({ initializer }) => {
      const one = pick(initializer);
      if (one) one.dataType = below(24);
    },
    rename: ({ initializer }) => {
      const one = pick(initializer);
      if (one) one.name = pick([...initializer.map((other) => other.name), '', 'x', '__proto__', 'constructor']);
    },
    attributes: ({ node }) => {
      const [one, other] = [pick(node), pick(node)];
      if (one) one.attribute = other.attribute;
    },
    number: ({ node }) => {
      const one = pick(node.flatMap((each) => each.attribute));
      if (one)
        Object.assign(one, { i: pick([-1, 0, 1, 7, 2 ** 40]), ints: pick([[], [0], [-1, 5], [1, 0], one.ints ?? []]) });
    },
    opset: () => {
      for (const one of model.opsetImport) one.version = pick([1, 6, 7, 9, 11, 12, 13, 18, 21, 25, 99]);
    },
    graphInput: ({ input, initializer }) => initializer.length > 0 && input.push({ name: pick(initializer).name }),
    irVersion: () => {
      model.irVersion = pick([1, 3, 4, 8, 13]);
    },
  };
  for (let left = 1 + below(6); left > 0; left--) {
    const kind = pick(Object.keys(changes));
    kinds.push(kind);
    changes[kind](pick(graphs));
  }
  return { bytes: onnxProto.onnx.ModelProto.encode(model).finish(), kinds };
}

async function work(index, jobs) {
  const lib = await import(join(root, 'dist/index.js'));
  const files = fixtures();
  files.push(...(await packed(lib, files)));
  const verbs = {
    copy: () => [],
    prune: () => [lib.prune({ method: 'l1', amount: 0.3 })],
    global: () => [lib.prune({ method: 'l2', amount: 0.3, scope: 'global' })],
    quantize: () => [lib.quantize()],
    contrib: () => [lib.quantize({ allowContrib: true })],
    'weights-only': () => [lib.quantize({ weightsOnly: true })],
    integer: () => [lib.quantize({ format: 'qoperator', dtype: 'uint8' })],
    fold: () => [lib.fold()],
    equalize: () => [lib.fold(), lib.equalize()],
    convert: () => [lib.convert({ opset: 21 })],
    pack: () => [lib.prune({ method: 'random', amount: 0.7 }), lib.pack({ store: 'auto' })],
    unpack: () => [lib.pack({ store: 'dense' })],
    chain: () => [lib.prune({ method: 'random', amount: 0.5 }), lib.fold(), lib.quantize()],
  };
  const names = Object.keys(verbs);
  const counts = { accepted: 0, refused: 0, bySentence: {}, byVerb: {}, slowest: 0 };
  const total = Number(values.cases);
  for (let one = 0; one < total; one++) {
    // Not every jobs-th case: even and odd ones are damaged differently.
    if (Math.floor(one / 2) % jobs !== index) continue;
    const random = xoroshiro128plus(Number(values.seed) * 1_000_003 + one);
    const file = files[uniformInt(random, 0, files.length - 1)];
    const verb = names[uniformInt(random, 0, names.length - 1)];
    const { bytes, kinds } = (one % 2 === 0 ? damage : derange)(file.bytes, random);
    const started = performance.now();
    let fault;
    try {
      const outcome = await attempt(lib, bytes, verbs[verb]());
      counts.accepted++;
      counts.byVerb[verb] = (counts.byVerb[verb] ?? 0) + 1;
      fault = outcome;
    } catch (cause) {
      if (!(cause instanceof lib.CompressError) || cause.code === 'internal') fault = cause.stack ?? String(cause);
      else {
        counts.refused++;
        counts.bySentence[cause.code] = (counts.bySentence[cause.code] ?? 0) + 1;
      }
    }
    const took = performance.now() - started;
    counts.slowest = Math.max(counts.slowest, took);
    if (took > SLOW) fault ??= `took ${took} ms`;
    if (process.memoryUsage.rss() > LARGE * 1e6) fault ??= `holds ${process.memoryUsage.rss()} bytes`;
    if (fault !== undefined) {
      process.send({ fault, case: one, verb, file: file.name, kinds, bytes: Buffer.from(bytes).toString('base64') });
    }
    if (one % 1000 < 2) process.send({ done: one });
  }
  counts.peak = process.resourceUsage().maxRSS / 1024;
  process.send({ counts });
}

/** Fixtures with their weights in masks, and as sparse tensors. */
async function packed(lib, files) {
  const made = [];
  for (const store of ['bitmask', 'sparse']) {
    for (const { name, bytes } of files.filter((one) => /digits-cnn-bn|if-branch|constant-node/.test(one.name))) {
      const model = await lib.readModel(lib.bytesSource(bytes));
      await lib.transform(model, lib.prune({ method: 'l1', amount: 0.95 }), lib.pack({ store }));
      const sink = lib.bytesSink();
      await lib.writeModel(model, sink, { data: 'embed' });
      made.push({ name: `${store} ${name}`, bytes: sink.bytes() });
    }
  }
  return made;
}

/** What is wrong with how a file that was accepted ends; undefined where all is well. */
async function attempt(lib, bytes, passes) {
  const model = await lib.readModel(lib.bytesSource(bytes));
  const copy = lib.bytesSink();
  await lib.writeModel(model, copy);
  if (Buffer.compare(copy.bytes(), bytes) !== 0) return 'the copy differs';
  if (passes.length === 0) return undefined;
  await lib.transform(model, ...passes);
  const sink = lib.bytesSink();
  await lib.writeModel(model, sink, { data: 'embed' });
  const again = await lib.readModel(lib.bytesSource(sink.bytes()));
  return lib.print(again) === lib.print(model) ? undefined : 'what was written reads differently';
}

if (values.worker !== undefined) {
  await work(Number(values.worker), Number(values.jobs));
} else {
  const jobs = Number(values.jobs);
  const started = Date.now();
  const faults = [];
  const all = [];
  await Promise.all(
    Array.from({ length: jobs }, (_, index) => {
      const child = fork(process.argv[1], [...process.argv.slice(2), '--worker', String(index)]);
      let last = Date.now();
      const watch = setInterval(() => {
        if (Date.now() - last < 120_000) return;
        faults.push({ fault: 'hangs', worker: index });
        child.kill('SIGKILL');
      }, 5000);
      child.on('message', (message) => {
        last = Date.now();
        if (message.fault !== undefined) {
          if (faults.length === 0) writeFileSync('fuzz-failure.onnx', Buffer.from(message.bytes, 'base64'));
          faults.push({ ...message, bytes: undefined });
          if (faults.length <= 20)
            console.error(`case ${message.case} ${message.verb} ${message.file} ${message.kinds}: ${message.fault}`);
        } else if (message.counts !== undefined) all.push(message.counts);
        else if (process.stderr.isTTY) process.stderr.write(`\r${message.done}`);
      });
      return new Promise((resolve) =>
        child.on('exit', (code) => {
          clearInterval(watch);
          if (code !== 0) faults.push({ fault: `worker ${index} ended with ${code}` });
          resolve();
        }),
      );
    }),
  );
  const sum = (pick) => all.reduce((total, one) => total + pick(one), 0);
  const merged = (pick) => {
    const out = {};
    for (const one of all) for (const [key, count] of Object.entries(pick(one))) out[key] = (out[key] ?? 0) + count;
    return out;
  };
  const result = {
    cases: Number(values.cases),
    seed: Number(values.seed),
    accepted: sum((one) => one.accepted),
    refused: sum((one) => one.refused),
    refusedBy: merged((one) => one.bySentence),
    acceptedBy: merged((one) => one.byVerb),
    slowestMilliseconds: Math.round(Math.max(...all.map((one) => one.slowest))),
    peakMegabytes: Math.round(Math.max(...all.map((one) => one.peak))),
    faults: faults.length,
    seconds: Math.round((Date.now() - started) / 1000),
  };
  writeFileSync(join(root, 'benchmarks/results/fuzz.json'), `${JSON.stringify(result, null, 2)}\n`);
  console.log(JSON.stringify(result, null, 2));
  process.exitCode = faults.length === 0 ? 0 : 1;
}
