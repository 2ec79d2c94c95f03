// Cases of data: .npz, .npy, .json, ONNX test data and saved ranges, damaged as bytes or in what they say. What is
// accepted must give the same samples twice, each of the shape the model takes, all numbers finite; ranges must be the
// same when they are saved and loaded again.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { zipSync } from 'fflate';
import onnxProto from 'onnx-proto';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { damage } from './damage.js';

const INPUTS = [
  { name: 'x', dtype: 'float32', dims: ['n', 3] },
  { name: 'ids', dtype: 'int64', dims: ['n', 2] },
];
const ONE = [INPUTS[0]];
const ROWS = 4;
const floats = Float32Array.from({ length: ROWS * 3 }, (_, index) => index / 7);
const integers = BigInt64Array.from({ length: ROWS * 2 }, (_, index) => BigInt(index));

/** The cases: `of(index, random)` gives one, with the work it is for. */
export function dataCases(lib) {
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-data-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return {
    of(index, random) {
      const kind = KINDS[uniformInt(random, 0, KINDS.length - 1)];
      const said =
        index % 2 === 0
          ? kind.make({ any: (list) => list[0], pick: (list) => list[0], below: () => 1 })
          : kind.make(chooser(random));
      const { bytes, kinds } = index % 2 === 0 ? damage(said, random) : { bytes: said, kinds: ['what it says'] };
      return {
        bytes,
        ending: kind.ending,
        what: `${kind.name} ${kinds}`,
        kind: kind.name,
        run: () => attempt(lib, folder, kind, bytes),
      };
    },
  };
}

function chooser(random) {
  const below = (end) => uniformInt(random, 0, Math.max(0, end - 1));
  // Four times out of five what is right, so that not everything fails at once.
  return {
    below,
    any: (list) => list[below(list.length)],
    pick: (list) => list[below(5) > 0 ? 0 : below(list.length)],
  };
}

/** A .npy file whose header says what was picked; the first of each list is right. */
function npy({ pick }, rows, columns, data, descr) {
  const shape = pick([
    `(${rows}, ${columns})`,
    ...[
      '()',
      '(0,)',
      `(${rows},)`,
      '(99999999999, 0)',
      '(0, 99999999999)',
      '(-1, 3)',
      '(4, 3',
      '(1e9, 1)',
      '(4294967296, 4294967296)',
    ],
    `(${rows}, 1, ${columns})`,
    `(${'1, '.repeat(40)})`,
    '(9007199254740993, 1)',
    '(4 4, 3)',
    '(٣, 3)',
  ]);
  const type = pick([descr, descr, descr, '<f8', '<f2', '<i4', '|b1', '>f4', '|O', '<U9', '__proto__', '']);
  const order = pick(['False', 'False', 'False', 'True', 'Maybe']);
  const header = `{'descr': '${type}', 'fortran_order': ${order}, 'shape': ${shape}, }${' '.repeat(pick([0, 0, 0, 70, 70000]))}\n`;
  const head = Buffer.from(`\x93NUMPY${String.fromCharCode(pick([1, 1, 1, 2, 3, 9]))}\x00\0\0${header}`, 'latin1');
  head.writeUInt16LE(pick([header.length & 65535, header.length & 65535, header.length & 65535, 0, 65535]), 8);
  const values = data.slice();
  if (values instanceof Float32Array) values[0] = pick([1, 1, 1, Number.NaN, Infinity, -0]);
  return new Uint8Array(
    Buffer.concat([head, new Uint8Array(values.buffer)]).subarray(0, pick([undefined, undefined, 30, 100])),
  );
}

function npz(choose) {
  const { pick, below } = choose;
  const names = ['x', 'ids', '__labels__', '__proto__', '', '../x', 'x/y', 'x\0', '/x', 'X'];
  const files = { [`${pick(['x', 'x', 'x', ...names])}.npy`]: npy(choose, ROWS, 3, floats, '<f4') };
  files[`${pick(['ids', 'ids', 'ids', ...names])}.npy`] = npy(choose, ROWS, 2, integers, '<i8');
  if (below(8) === 0) files['more.npy'] = new Uint8Array(below(100));
  const bytes = zipSync(files, { level: pick([0, 6]) });
  // Sizes, offsets and methods in the directory at the end that are not so.
  const lies = pick([0, 0, 0, 1, 2]);
  const directory = bytes.findLastIndex((byte, at) => byte === 0x50 && bytes[at + 1] === 0x4b && bytes[at + 2] === 1);
  for (let left = lies; left > 0 && directory >= 0; left--) {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const at = directory + pick([8, 10, 20, 24, 28, 42]);
    view.setUint16(at, pick([0, 1, 8, 255, 65535]), true);
    if (below(2) === 0 && at + 4 <= bytes.length) view.setUint32(at, pick([0, 0xffffffff, 0x7fffffff, 1]), true);
  }
  return bytes;
}

/** A JSON value that nobody expects. */
function odd({ any, below }) {
  const deep = below(300);
  return any([
    null,
    true,
    'x',
    '',
    -0.5,
    1e308,
    2 ** 53,
    [],
    {},
    [[]],
    [1, [2]],
    [null],
    [['a']],
    Array(50).fill(0),
    `@${'['.repeat(deep)}${']'.repeat(deep)}`,
    '@1e999',
    '@-',
    '@NaN',
    '@{"__proto__":[1]}',
  ]);
}

/** JSON in which some values are odd; texts that begin with @ stand for themselves. */
function json(choose, value) {
  const { below } = choose;
  const changed = (one) => {
    if (below(40) === 0) return odd(choose);
    if (Array.isArray(one)) return one.map(changed);
    if (typeof one === 'object' && one !== null) {
      return Object.fromEntries(
        Object.entries(one).map(([key, inner]) => [below(60) === 0 ? '__proto__' : key, changed(inner)]),
      );
    }
    return one;
  };
  return Buffer.from(
    JSON.stringify(changed(value)).replace(/"@((?:[^"\\]|\\.)*)"/g, (_, text) => text.replaceAll('\\"', '"')),
  );
}

const rows = (data, columns) =>
  Array.from({ length: ROWS }, (_, row) => Array.from(data.subarray(row * columns, row * columns + columns), Number));
const object = { x: rows(floats, 3), ids: rows(integers, 2) };
const range = { min: -1, max: 2, observedMin: -1, observedMax: 2, power: 0.5, clipError: 0, zeros: 0.1 };
const ranges = {
  version: 1,
  observer: 'minmax',
  samples: 4,
  values: { a: range, b: { ...range, channelMeans: [0, 1] } },
};

function tensor({ pick }) {
  const message = {
    name: pick(['x', '', 'ids', '__proto__']),
    dataType: pick([1, 1, 1, 0, 7, 8, 10, 16, 21, 99]),
    dims: pick([[ROWS, 3], [], [0], [-1, 3], [2 ** 40, 2 ** 40], [0, 2 ** 40], [ROWS * 3], [2 ** 31, 3]]),
  };
  const data = { rawData: new Uint8Array(floats.buffer) };
  return onnxProto.onnx.TensorProto.encode({
    ...message,
    ...pick([data, data, { floatData: floats }, { int32Data: [1, -1] }, { stringData: [new Uint8Array(2)] }]),
  }).finish();
}

const KINDS = [
  { name: 'npz', ending: 'npz', inputs: INPUTS, make: npz },
  { name: 'npy', ending: 'npy', inputs: ONE, make: (choose) => npy(choose, ROWS, 3, floats, '<f4') },
  { name: 'json', ending: 'json', inputs: INPUTS, make: (choose) => json(choose, object) },
  { name: 'json list', ending: 'json', inputs: INPUTS, make: (choose) => json(choose, [object, object]) },
  { name: 'pb', ending: 'pb', inputs: ONE, make: tensor },
  { name: 'ranges', ending: 'json', make: (choose) => json(choose, ranges) },
];

/** What is wrong with how a file that was accepted ends; undefined where all is well. */
async function attempt(lib, folder, { name, ending, inputs }, bytes) {
  if (name === 'ranges') {
    const path = join(folder, 'ranges.json');
    writeFileSync(path, bytes);
    const loaded = await lib.loadRanges(path);
    await lib.saveRanges(path, loaded.ranges, loaded, { overwrite: true });
    return isDeepStrictEqual(await lib.loadRanges(path), loaded) ? undefined : 'ranges that were saved are others';
  }
  const set = join(folder, 'test_data_set_0');
  const path = ending === 'pb' ? set : join(folder, `d.${ending}`);
  if (ending === 'pb') mkdirSync(set, { recursive: true });
  writeFileSync(ending === 'pb' ? join(set, 'input_0.pb') : path, bytes);
  const data = await lib.openData(path, inputs, { batch: 2 });
  const first = await collect(data, inputs);
  if (typeof first === 'string') return first;
  return isDeepStrictEqual(await collect(data, inputs), first) ? undefined : 'the second time it has other samples';
}

async function collect(data, inputs) {
  const samples = [];
  for await (const sample of data.samples()) {
    if (samples.push(sample) > 1000) return 'more samples than its bytes can hold';
    for (const { name, dtype } of inputs) {
      const fed = sample.feeds[name];
      if (fed?.dtype !== dtype) return `no ${dtype} for ${name}`;
      if (fed.data.length !== fed.dims.reduce((product, dim) => product * dim, 1)) return `${name} is not of its shape`;
      if (dtype === 'float32' && !fed.data.every(Number.isFinite)) return `${name} has NaN or infinity`;
    }
  }
  return samples;
}
