// GB/s of input of every kernel, WebAssembly SIMD and scalar TypeScript: 64 MiB in chunks of 4 MiB, in alternation.
//   npm run build && node benchmarks/kernels.js
// Two figures for SIMD: the chunk stays where it is (arithmetic), and the chunk is first copied in from 64 MiB
// elsewhere, as a read from the page cache would (copy + arithmetic). "copy" is that copy alone.
import { Arena } from '../dist/kernels/simd/arena.js';
import { setSimd } from '../dist/kernels/simd/load.js';
import { MagnitudeHistogram, zeroBelow } from '../dist/kernels/simd/magnitude.js';

const CHUNK = 4 << 20;
const TOTAL = 64 << 20;
const RUNS = 9;
const SCALAR_RUNS = 3;
const ROWS = 256;
const COLUMNS = 4096;
const COUNT = CHUNK / 4;

/** Normal weights like those of a trained layer. */
const weights = new Float32Array(TOTAL / 4);
let state = 1;
const uniform = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return (state + 0.5) / 2 ** 32;
};
for (let index = 0; index < weights.length; index++) {
  weights[index] = (Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())) / 64;
}
const source = new Uint8Array(weights.buffer);

function bits(value) {
  return new Uint32Array(Float32Array.of(value).buffer)[0];
}

/** Kernels by name, over arrays of one arena. `restore`: works in place, so each chunk is copied in anew. */
function bench(arena) {
  const input = arena.allocate(CHUNK);
  const out = arena.allocate(2 * CHUNK);
  const wide = arena.allocate(4 * CHUNK);
  const [min, max, scale, zero] = [1, 2, 3, 4].map(() => arena.allocate(4 * COLUMNS));
  arena.bytes(min, 16 * COLUMNS).fill(0);
  arena.floats(scale, COLUMNS).fill(0.0004);
  arena.int32s(zero, COLUMNS).fill(3);
  const { kernels } = arena;
  const histogram = new MagnitudeHistogram(arena);
  const threshold = bits(0.008);
  const whole = [input, 1, COUNT, COUNT];
  const matrix = [input, ROWS, COLUMNS, COLUMNS];
  return {
    input,
    kernels: {
      'rangeRows, 1 row': () => kernels.rangeRows(...whole, min, max),
      'rangeRows, 256 rows': () => kernels.rangeRows(...matrix, min, max),
      rangeColumns: () => kernels.rangeColumns(...matrix, min, max),
      'quantizeRows, 1 row': () => kernels.quantizeRows(...whole, scale, 0, -127, 127, out, COUNT),
      'quantizeColumns, symmetric': () => kernels.quantizeColumns(...matrix, scale, 0, -127, 127, out, COLUMNS),
      'quantizeColumns, zero points': () => kernels.quantizeColumns(...matrix, scale, zero, 0, 255, out, COLUMNS),
      quantizeTransposed: () => kernels.quantizeTransposed(...matrix, scale, 0, -127, 127, out, ROWS),
      'countTop (histogram)': () => histogram.addTop(input, COUNT),
      'countLow (second digit)': () => histogram.addLow(input, COUNT, threshold >>> 16),
      'countWithin (between two magnitudes)': () =>
        kernels.countWithin(input, COUNT, threshold, threshold + 90_000, wide, COUNT),
      'zeroBelow, no ties': () => zeroBelow(arena, input, COUNT, threshold, 0),
      'zeroBelow, ties': () => zeroBelow(arena, input, COUNT, threshold, COUNT),
      floatToHalf: () => kernels.floatToHalf(input, COUNT, out),
      floatToBfloat: () => kernels.floatToBfloat(input, COUNT, out),
      'halfToFloat (2 bytes in)': () => kernels.halfToFloat(input, CHUNK / 2, out),
      'bfloatToFloat (2 bytes in)': () => kernels.bfloatToFloat(input, CHUNK / 2, out),
      'dequantizeRows (1 byte in)': () =>
        kernels.dequantizeRows(input, 1, CHUNK, CHUNK, scale, zero, true, wide, CHUNK),
      'dequantizeColumns (1 byte in)': () =>
        kernels.dequantizeColumns(input, 4 * ROWS, COLUMNS, COLUMNS, scale, zero, false, wide, COLUMNS),
      copy: () => {},
    },
  };
}

const simd = new Arena();
setSimd(false);
const scalar = new Arena();
const [fast, slow] = [bench(simd), bench(scalar)];

/** Seconds for all chunks; `copies`: the time of copying each chunk in counts too. */
function seconds(arena, { input, kernels }, name, copies) {
  const kernel = kernels[name];
  let spent = 0;
  for (let at = 0; at < TOTAL; at += CHUNK) {
    const before = performance.now();
    // Without copies, once a run, so that in-place kernels find fresh data at least there.
    if (copies || name.startsWith('zero') || at === 0) arena.bytes(input, CHUNK).set(source.subarray(at, at + CHUNK));
    const start = copies ? before : performance.now();
    kernel();
    spent += performance.now() - start;
  }
  return spent / 1000;
}

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
const rate = (list) => (TOTAL / median(list) / 1e9).toFixed(2);
console.log('| kernel | SIMD, GB/s of input | SIMD with copying in | scalar | SIMD/scalar |');
console.log('| --- | --: | --: | --: | --: |');
for (const name of Object.keys(fast.kernels)) {
  const [alone, copied, reference] = [[], [], []];
  seconds(simd, fast, name, false);
  seconds(scalar, slow, name, false);
  for (let run = 0; run < RUNS; run++) {
    alone.push(seconds(simd, fast, name, false));
    copied.push(seconds(simd, fast, name, true));
    if (run < SCALAR_RUNS) reference.push(seconds(scalar, slow, name, false));
  }
  if (name === 'copy') {
    console.log(`| ${name} | | ${rate(copied)} | | |`);
    continue;
  }
  const gain = (median(reference) / median(alone)).toFixed(1);
  console.log(`| ${name} | ${rate(alone)} | ${rate(copied)} | ${rate(reference)} | ${gain}x |`);
}
