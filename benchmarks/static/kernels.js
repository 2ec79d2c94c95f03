// What ONNX Runtime's kernels take on integers and in float: the figures behind `staticCosts` in src/targets/costs.ts.
// A kernel's time is that of a chain of 9 of them less that of a chain of 1, over 8: what a session takes anyway, and
// what turns layouts at both ends, falls out. `first` and `strided` are of one Conv, with what quantizes around it.
// Of several rounds the least counts: other work on the machine only adds.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import onnxProto from 'onnx-proto';
import ort from 'onnxruntime-node';

const { onnx } = onnxProto;
const [SHORT, LONG] = [1, 9];
const ROUNDS = 9;
const THREADS = 1;
const COLUMNS = [
  ...['kind', 'channels', 'to', 'kernel', 'stride', 'side', 'rows', 'size', 'macs', 'elements'],
  ...['float', 'int', 'none', 'pair', 'apart', 'island'],
];
/** Runs of a round take about so long, in ms. */
const ROUND_TIME = 12;
const OUT = new URL('../results/ort-kernels.csv', import.meta.url);

let state = 1;
const uniform = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return (state + 0.5) / 2 ** 32;
};
const normals = (count, scale) =>
  Float32Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()) * scale,
  );
const FLOAT = 1;
const [UINT8, INT8, INT32] = [2, 3, 6];
const product = (dims) => dims.reduce((a, b) => a * b, 1);

/** A graph that grows by kernels, each in float or as ONNX Runtime fuses to integers. */
class Chain {
  constructor(dims, integers) {
    this.dims = dims;
    this.input = dims;
    this.integers = integers;
    this.node = [];
    this.initializer = [];
    this.value = 'x';
    this.count = 0;
    this.tensor('scale', FLOAT, [], Float32Array.of(0.04));
    this.tensor('zero', UINT8, [], Uint8Array.of(0));
    if (integers) this.pair();
  }
  tensor(name, dataType, dims, data) {
    this.initializer.push({ name, dataType, dims, rawData: new Uint8Array(data.buffer) });
    return name;
  }
  add(opType, input, attributes = {}) {
    const output = `v${this.count++}`;
    const attribute = Object.entries(attributes).map(([name, value]) =>
      Array.isArray(value) ? { name, type: 7, ints: value } : { name, type: 2, i: value },
    );
    this.node.push({ opType, name: output, input, output: [output], attribute });
    return output;
  }
  quantize() {
    this.value = this.add('QuantizeLinear', [this.value, 'scale', 'zero']);
  }
  dequantize() {
    this.value = this.add('DequantizeLinear', [this.value, 'scale', 'zero']);
  }
  pair() {
    this.quantize();
    this.dequantize();
  }
  weight(dims, axis) {
    const inputs = product(dims) / dims[axis];
    const name = `w${this.count}`;
    if (!this.integers) return this.tensor(name, FLOAT, dims, normals(product(dims), 1 / Math.sqrt(inputs)));
    const steps = dims[axis];
    this.tensor(name, INT8, dims, Int8Array.from(normals(product(dims), 40)));
    this.tensor(`${name}s`, FLOAT, [steps], new Float32Array(steps).fill(0.02 / Math.sqrt(inputs)));
    this.tensor(`${name}z`, INT8, [steps], new Int8Array(steps));
    return this.add('DequantizeLinear', [name, `${name}s`, `${name}z`], { axis });
  }
  bias(steps, inputs) {
    const name = `b${this.count}`;
    if (!this.integers) return this.tensor(name, FLOAT, [steps], normals(steps, 0.1));
    this.tensor(name, INT32, [steps], new Int32Array(steps).fill(100));
    this.tensor(
      `${name}s`,
      FLOAT,
      [steps],
      new Float32Array(steps).fill(Math.fround((0.04 * 0.02) / Math.sqrt(inputs))),
    );
    return this.add('DequantizeLinear', [name, `${name}s`], { axis: 0 });
  }
  conv(out, kernel, { stride = 1, groups = 1, relu = true } = {}) {
    const [n, c, h, w] = this.dims;
    const dims = [out, c / groups, kernel, kernel];
    const pad = (kernel - 1) >> 1;
    const inputs = [this.value, this.weight(dims, 0), this.bias(out, product(dims.slice(1)))];
    const pads = [pad, pad, pad, pad];
    this.value = this.add('Conv', inputs, {
      group: groups,
      strides: [stride, stride],
      pads,
      kernel_shape: [kernel, kernel],
    });
    if (relu) this.value = this.add('Relu', [this.value]);
    if (this.integers) this.pair();
    this.dims = [n, out, Math.ceil(h / stride), Math.ceil(w / stride)];
  }
  gemm(out, paired) {
    const [n, k] = this.dims;
    this.value = this.add('Gemm', [this.value, this.weight([out, k], 0), this.bias(out, k)], { transB: 1 });
    this.value = this.add('Relu', [this.value]);
    if (this.integers && paired) this.pair();
    this.dims = [n, out];
  }
  matmul(out) {
    const [k] = this.dims.slice(-1);
    let x = this.value;
    if (this.integers) {
      const name = `d${this.count}`;
      this.node.push({ opType: 'DynamicQuantizeLinear', input: [x], output: [name, `${name}s`, `${name}z`] });
      x = this.add('DequantizeLinear', [name, `${name}s`, `${name}z`]);
    }
    this.value = this.add('MatMul', [x, this.weight([k, out], 1)]);
    this.value = this.add('Sum', [this.value]);
    this.dims = [...this.dims.slice(0, -1), out];
  }
  pool(opType) {
    const attributes = { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] };
    this.value = this.add(opType, [this.value], attributes);
    if (this.integers) this.pair();
  }
  plain(opType, others, attributes) {
    this.value = this.add(opType, [this.value, ...others], attributes);
    if (this.integers) this.pair();
  }
  bytes() {
    const info = (name, dims) => ({
      name,
      type: { tensorType: { elemType: FLOAT, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
    });
    const graph = {
      name: 'kernels',
      node: this.node,
      initializer: this.initializer,
      input: [info('x', this.input)],
      output: [{ name: this.value, type: { tensorType: { elemType: FLOAT } } }],
    };
    const model = { irVersion: 8, opsetImport: [{ domain: '', version: 17 }], graph };
    return onnx.ModelProto.encode(onnx.ModelProto.create(model)).finish();
  }
}

const open = (chain) =>
  ort.InferenceSession.create(chain.bytes(), {
    intraOpNumThreads: THREADS,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });

/** µs of one kernel in each of some forms: `build(chain, index)` adds the kernel of that index. */
async function measure(dims, forms) {
  const sessions = [];
  for (const { integers, build, before, after } of forms) {
    for (const length of [SHORT, LONG]) {
      const chain = new Chain(dims, integers);
      before?.(chain);
      for (let index = 0; index < length; index++) build(chain, index);
      after?.(chain);
      const x = { x: new ort.Tensor('float32', normals(product(dims), 1).map(Math.abs), dims) };
      const session = await open(chain);
      const run = () => session.run(x);
      for (let index = 0; index < 3; index++) await run();
      const start = performance.now();
      await run();
      const runs = Math.max(1, Math.round(ROUND_TIME / Math.max(0.02, performance.now() - start)));
      sessions.push({ session, run, runs, least: Number.POSITIVE_INFINITY });
    }
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const one of sessions) {
      for (let index = 0; index < one.runs; index++) {
        const start = performance.now();
        await one.run();
        one.least = Math.min(one.least, performance.now() - start);
      }
    }
  }
  for (const { session } of sessions) await session.release();
  return forms.map((_, at) => {
    const [short, long] = [sessions[2 * at].least, sessions[2 * at + 1].least];
    return {
      each: Number(((1000 * (long - short)) / (LONG - SHORT)).toFixed(2)),
      one: Number((1000 * short).toFixed(1)),
    };
  });
}

const both = (build, more = {}) => [false, true].map((integers) => ({ integers, build, ...more }));
const PARTS = {
  async conv(record) {
    for (const kernel of [1, 3]) {
      for (const channels of [4, 8, 16, 24, 32, 48, 64, 96, 128, 256]) {
        for (const side of [7, 14, 28, 56, 112]) {
          const macs = channels * channels * kernel * kernel * side * side;
          if (macs > 3e8 || macs < 2e4) continue;
          const [float, int] = await measure(
            [1, channels, side, side],
            both((c) => c.conv(channels, kernel)),
          );
          record({ kind: `conv${kernel}x${kernel}`, channels, side, macs, float: float.each, int: int.each });
        }
      }
    }
  },
  async wide(record) {
    for (const [from, to, side] of [
      [16, 96, 56],
      [24, 144, 28],
      [32, 192, 14],
      [64, 384, 14],
      [16, 64, 80],
      [128, 32, 28],
    ]) {
      const build = (c, at) => c.conv(at % 2 ? from : to, 1);
      const [float, int] = await measure([1, from, side, side], both(build));
      record({
        kind: 'conv1x1 of two widths',
        channels: from,
        to,
        side,
        macs: from * to * side * side,
        float: float.each,
        int: int.each,
      });
    }
  },
  async depthwise(record) {
    for (const kernel of [3, 5]) {
      for (const channels of [16, 32, 64, 128, 256]) {
        for (const side of [7, 14, 28, 56, 112]) {
          if (channels * side * side > 1e6) continue;
          const [float, int] = await measure(
            [1, channels, side, side],
            both((c) => c.conv(channels, kernel, { groups: channels })),
          );
          record({
            kind: `depthwise${kernel}x${kernel}`,
            channels,
            side,
            macs: channels * kernel * kernel * side * side,
            float: float.each,
            int: int.each,
          });
        }
      }
    }
  },
  async first(record) {
    for (const [channels, to, kernel, stride, side] of [
      [3, 16, 3, 2, 224],
      [3, 32, 3, 2, 224],
      [3, 24, 3, 2, 352],
      [3, 64, 7, 2, 224],
      [1, 32, 3, 1, 76],
      [1, 8, 3, 1, 28],
      [1, 64, 5, 1, 224],
      [3, 16, 3, 1, 112],
    ]) {
      const [float, int] = await measure(
        [1, channels, side, side],
        both((c, at) => at === 0 && c.conv(to, kernel, { stride })),
      );
      const out = side / stride;
      record({
        kind: 'first',
        channels,
        to,
        kernel,
        stride,
        side,
        macs: channels * to * kernel * kernel * out * out,
        float: float.one,
        int: int.one,
      });
    }
  },
  async strided(record) {
    for (const [channels, kernel, side] of [
      [16, 3, 112],
      [32, 3, 56],
      [64, 3, 56],
      [128, 3, 28],
      [64, 1, 56],
      [128, 1, 28],
    ]) {
      const build = (c, at) => at === 0 && c.conv(2 * channels, kernel, { stride: 2 });
      const [float, int] = await measure([1, channels, side, side], both(build));
      record({
        kind: 'strided',
        channels,
        kernel,
        side,
        macs: (channels * 2 * channels * kernel * kernel * side * side) / 4,
        float: float.one,
        int: int.one,
      });
    }
  },
  async gemm(record) {
    for (const size of [64, 128, 256, 512, 1024, 2048]) {
      for (const rows of [1, 4, 16, 64]) {
        const [float, int] = await measure(
          [rows, size],
          both((c) => c.gemm(size, true)),
        );
        record({ kind: 'gemm', rows, size, macs: rows * size * size, float: float.each, int: int.each });
      }
    }
  },
  async matmul(record) {
    for (const size of [64, 128, 256, 512, 1024]) {
      for (const rows of [1, 4, 16, 64, 256]) {
        const [float, int] = await measure(
          [1, rows, size],
          [false, true].map((integers) => ({
            integers: false,
            build: (c) => {
              c.integers = integers;
              c.matmul(size);
            },
          })),
        );
        record({ kind: 'matmul', rows, size, macs: rows * size * size, float: float.each, int: int.each });
      }
    }
  },
  async pool(record) {
    for (const opType of ['MaxPool', 'AveragePool']) {
      for (const [channels, side] of [
        [16, 56],
        [64, 28],
        [64, 56],
        [128, 14],
        [256, 28],
      ]) {
        // Between Convs, as pools are: the layout is theirs.
        const around = { before: (c) => c.conv(channels, 1), after: (c) => c.conv(channels, 1) };
        const [float, int] = await measure(
          [1, channels, side, side],
          both((c) => c.pool(opType), around),
        );
        record({ kind: opType, channels, side, elements: channels * side * side, float: float.each, int: int.each });
      }
    }
  },
  async add(record) {
    for (const [channels, side] of [
      [16, 56],
      [64, 28],
      [64, 56],
      [128, 14],
      [256, 28],
    ]) {
      const around = {
        before: (c) => {
          c.conv(channels, 1);
          c.first = c.value;
          c.conv(channels, 1);
        },
        after: (c) => c.conv(channels, 1),
      };
      const [float, int] = await measure(
        [1, channels, side, side],
        both((c) => c.plain('Add', [c.first]), around),
      );
      record({ kind: 'Add', channels, side, elements: channels * side * side, float: float.each, int: int.each });
    }
  },
  async concat(record) {
    for (const [channels, side] of [
      [16, 56],
      [64, 28],
      [64, 56],
      [128, 14],
    ]) {
      const build = (c) => {
        const before = c.value;
        c.conv(channels, 1);
        c.plain('Concat', [before], { axis: 1 });
        c.dims = [1, 2 * channels, side, side];
        c.conv(channels, 1);
      };
      const plain = (c) => {
        c.conv(channels, 1);
        c.conv(channels, 1);
      };
      const [float, int, floatPlain, intPlain] = await measure(
        [1, channels, side, side],
        [...both(build), ...both(plain)],
      );
      record({
        kind: 'Concat and wider Conv',
        channels,
        side,
        elements: 2 * channels * side * side,
        float: float.each - floatPlain.each,
        int: int.each - intPlain.each,
      });
    }
  },
  async pairs(record) {
    // Q and DQ between float Convs, beside the same without: Q, DQ and what turns the layout.
    for (const [channels, side] of [
      [8, 28],
      [16, 56],
      [64, 28],
      [64, 56],
      [128, 14],
      [256, 28],
      [16, 112],
      [256, 7],
    ]) {
      const forms = [false, true].map((pair) => ({
        integers: false,
        build: (c) => {
          c.conv(channels, 1, { relu: false });
          if (pair) {
            c.quantize();
            c.dequantize();
            c.value = c.add('Sum', [c.value]);
          }
        },
      }));
      const [float, int] = await measure([1, channels, side, side], forms);
      // An island: float Conv, Sum, Q, integer Conv, DQ, Sum; beside float Conv twice.
      const island = [false, true].map((integers) => ({
        integers: false,
        build: (c) => {
          c.conv(channels, 1);
          if (integers) {
            c.value = c.add('Sum', [c.value]);
            c.integers = true;
            c.pair();
          }
          c.conv(channels, 1);
          c.integers = false;
          if (integers) c.value = c.add('Sum', [c.value]);
        },
      }));
      const [apart, lone] = await measure([1, channels, side, side], island);
      record({
        kind: 'Q and DQ',
        channels,
        side,
        elements: channels * side * side,
        none: float.each,
        pair: int.each,
        apart: apart.each,
        island: lone.each,
      });
    }
  },
};

/** Measures every part, prints a row for each shape, and writes results/ort-kernels.csv. */
export async function kernels() {
  const rows = [];
  for (const part of Object.values(PARTS)) {
    await part((row) => {
      rows.push(row);
      console.log(JSON.stringify(row));
    });
  }
  const manifest = new URL('../../node_modules/onnxruntime-node/package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  const machine = { cpu: cpus()[0].model, threads: THREADS, onnxruntime: version, node: process.version };
  const lines = rows.map((row) => COLUMNS.map((name) => row[name] ?? '').join(','));
  writeFileSync(OUT, `# ${JSON.stringify(machine)}, µs\n${[COLUMNS.join(','), ...lines].join('\n')}\n`);
}
