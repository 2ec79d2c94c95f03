// What kernels of ONNX Runtime's CPU take on integers beside the float ones: the figures behind src/targets/costs.ts.
//   npm run build && node benchmarks/ort-kernels.js [products] [kernels] [--threads 1] [--rounds 41]
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { bytesSink, constant, createNode, Graph, Model, quantize, transform, writeModel } from '../dist/index.node.js';
import { dynamicPays, dynamicProduct } from '../dist/targets/costs.js';
import { kernels } from './static/kernels.js';

const { InferenceSession, Tensor } = (await import('onnxruntime-node')).default;

const { values, positionals } = parseArgs({
  options: { threads: { type: 'string', default: '1' }, rounds: { type: 'string', default: '41' } },
  allowPositionals: true,
});
const rounds = Number(values.rounds);

/** At least so many milliseconds are timed at a time: clocks tell no less. */
const LEAST_MS = 2;
/** A rule is wrong where the other choice saves more than this part of the time. */
const TOLERANCE = 0.05;

/** Numbers in [−1, 1] from a fixed seed. */
function noise(length) {
  let state = 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** A model of one node that reads an activation and a constant. */
function modelOf(opType, x, weight) {
  const data = noise(weight.reduce((a, b) => a * b));
  const graph = new Graph({
    inputs: [{ name: 'x', dtype: 'float32', dims: x }],
    outputs: [{ name: 'y', dtype: 'float32' }],
    nodes: [createNode({ name: 'one', opType, inputs: ['x', 'w'], outputs: ['y'] })],
    initializers: [constant('w', 'float32', weight, data)],
  });
  return new Model({ irVersion: 8, opsets: [{ domain: '', version: 17 }], graph });
}

/** A session on the model after some passes. */
async function sessionOf(model, ...passes) {
  await transform(model, ...passes);
  const sink = bytesSink();
  await writeModel(model, sink);
  return InferenceSession.create(sink.bytes(), {
    executionProviders: ['cpu'],
    intraOpNumThreads: Number(values.threads),
    logSeverityLevel: 3,
  });
}

/** Milliseconds a run takes, so many of them in a row. */
async function timed(session, feeds, count) {
  const start = performance.now();
  for (let run = 0; run < count; run++) await session.run(feeds);
  return (performance.now() - start) / count;
}

/** The least time of a run of two sessions over alternating rounds: what else runs on the machine only adds to it. */
async function compared(float, integer, x) {
  const feeds = { x: new Tensor('float32', noise(x.reduce((a, b) => a * b)), x) };
  const sessions = [float, integer];
  const counts = [];
  for (const session of sessions) {
    await timed(session, feeds, 5);
    counts.push(Math.ceil(LEAST_MS / (await timed(session, feeds, 5))));
  }
  const least = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < rounds; round++) {
    for (const at of round % 2 === 0 ? [0, 1] : [1, 0]) {
      least[at] = Math.min(least[at], await timed(sessions[at], feeds, counts[at]));
    }
  }
  for (const session of sessions) await session.release();
  return { float: least[0], integer: least[1], ratio: least[1] / least[0] };
}

/** Rows, which a file seldom tells, and the weights of products [inputs, outputs]. */
const ROWS = [1, 4, 16, 64, 256];
const PRODUCTS = [
  ...[32, 64, 128, 256, 512, 1024].map((side) => [side, side]),
  ...[
    [64, 192],
    [256, 64],
    [64, 1024],
    [1024, 64],
    [120, 6625],
    [768, 3072],
    [3072, 768],
  ],
];

/**
 * A float MatMul beside DynamicQuantizeMatMul: where each takes less time, and where `dynamicPays` chooses the slower.
 */
async function products() {
  const { least, widest } = dynamicProduct.value;
  console.log(
    `Time of DynamicQuantizeMatMul, float MatMul = 1. In [brackets]: stored, by the rule √M · K · min(N, ${widest} · K) < ${least}.\n`,
  );
  console.log(`| K × N | ${ROWS.map((rows) => `M = ${rows}`).join(' | ')} |`);
  console.log(`| --- |${' --: |'.repeat(ROWS.length)}`);
  const wrong = [];
  for (const weight of PRODUCTS) {
    const cells = [];
    for (const rows of ROWS) {
      const x = [rows, weight[0]];
      const float = await sessionOf(modelOf('MatMul', x, weight));
      const integer = await sessionOf(modelOf('MatMul', x, weight), quantize({ minElements: 0 }));
      const found = await compared(float, integer, x);
      const pays = dynamicPays(rows, ...weight);
      const ratio = `${found.ratio.toFixed(2)}×`;
      cells.push(pays ? ratio : `[${ratio}]`);
      // How much longer what was chosen takes than what was not.
      const loss = pays ? found.ratio - 1 : 1 / found.ratio - 1;
      const times = `float ${(1000 * found.float).toFixed(1)} µs, integers ${(1000 * found.integer).toFixed(1)} µs`;
      if (loss > TOLERANCE)
        wrong.push(`M = ${rows}, ${weight.join(' × ')}: ${pays ? 'dynamic' : 'stored'}, but ${times}`);
    }
    console.log(`| ${weight.join(' × ')} | ${cells.join(' | ')} |`);
  }
  const of = `${wrong.length} of ${PRODUCTS.length * ROWS.length}`;
  console.log(
    `\nThe rule chooses what takes over ${100 * TOLERANCE} % longer for ${of}${wrong.length > 0 ? ':' : '.'}`,
  );
  for (const line of wrong) console.log(`  ${line}`);
}

/** What is measured, by the name that asks for it. */
const TABLES = { products, kernels };

const asked = positionals.length > 0 ? positionals : Object.keys(TABLES);
console.log(`${cpus()[0]?.model}, threads: ${values.threads}, least of ${rounds} rounds\n`);
for (const name of asked) await TABLES[name]();
