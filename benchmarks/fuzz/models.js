// Cases of models: a real file, damaged as bytes or as a graph, and what every verb makes of it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { damage } from './damage.js';
import { derange } from './derange.js';

/** The cases: `of(index, random)` gives one, with the work it is for. */
export async function modelCases(lib, root) {
  const files = fixtures(root);
  files.push(...(await packed(lib, files)), ...(await lowered(lib, files)));
  const verbs = { ...verbsOf(lib), ...(await verbsWithData(lib, root)) };
  const names = Object.keys(verbs);
  return {
    of(index, random) {
      const file = files[uniformInt(random, 0, files.length - 1)];
      const verb = names[uniformInt(random, 0, names.length - 1)];
      const { bytes, kinds } = (index % 2 === 0 ? damage : derange)(file.bytes, random);
      return {
        bytes,
        ending: 'onnx',
        what: `${verb} ${file.name} ${kinds}`,
        kind: verb,
        run: () => attempt(lib, bytes, verbs[verb](random)),
      };
    },
  };
}

function fixtures(root) {
  const folder = join(root, 'fixtures');
  const inside = ['edge', 'awkward'].flatMap((one) => readdirSync(join(folder, one)).map((name) => `${one}/${name}`));
  return ['mymodel.onnx', 'digits-cnn-bn.onnx', ...inside]
    .filter((name) => name.endsWith('.onnx') && name !== 'edge/external-data.onnx')
    .map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
}

function verbsOf(lib) {
  const every = { minElements: 0 };
  return {
    copy: () => [],
    prune: () => [lib.prune({ method: 'l1', amount: 0.3 })],
    global: () => [lib.prune({ method: 'l2', amount: 0.3, scope: 'global' })],
    quantize: () => [lib.quantize()],
    contrib: () => [lib.quantize({ allowContrib: true })],
    'weights-only': () => [lib.quantize({ weightsOnly: true })],
    integer: () => [lib.quantize({ format: 'qoperator', dtype: 'uint8' })],
    'few bits': () => [lib.quantize({ bits: 4, tableBits: 4 })],
    'two bits': () => [lib.quantize({ bits: 2, headBits: 2, block: 16, form: 'folded', method: 'rtn', ...every })],
    nbits: () => [lib.quantize({ bits: 4, form: 'nbits', asymmetric: true, method: 'hqq', ...every })],
    standard: () => [lib.quantize({ bits: 4, headBits: 4, form: 'standard', block: 64, ...every })],
    multipliers: () => [lib.quantize({ bits: 4, headBits: 4, form: 'multipliers', block: 256, ...every })],
    'int8 searched': () => [lib.quantize({ bits: 8, method: 'mse', target: 'web' })],
    dequantize: () => [lib.dequantize()],
    fold: () => [lib.fold()],
    equalize: () => [lib.fold(), lib.equalize()],
    convert: () => [lib.convert({ opset: 21 })],
    slices: () => [lib.prune({ method: 'l2', axis: 'out', amount: 0.3, allowEmpty: true })],
    groups: () => [lib.prune({ method: 'l1', nm: { keep: 2, group: 4 } })],
    pack: () => [lib.prune({ method: 'random', amount: 0.7 }), lib.pack({ store: 'auto' })],
    unpack: () => [lib.pack({ store: 'dense' })],
    channels: () => [lib.removeChannels({ amount: 0.5, roundTo: 1 })],
    inspect: () => [{ name: 'inspect', run: (model) => lib.inspect(model, { weights: true }) }],
    chain: () => [lib.prune({ method: 'random', amount: 0.5 }), lib.fold(), lib.quantize()],
  };
}

/** Verbs that ask what activations are like, and are told numbers that are made up: no model is run. */
async function verbsWithData(lib, root) {
  // By a module of its own: programs give data by path, which runs the model.
  const { quantizing } = await import(join(root, 'dist/passes/quantize/index.js'));
  const by = (options) => (random) => [quantizing({ minElements: 0, ...options }, { activations: invented(random) })];
  const half = { amount: 0.5 };
  return {
    gptq: by({ bits: 4, headBits: 4, block: 16 }),
    'gptq asymmetric': by({ bits: 2, headBits: 2, form: 'nbits', asymmetric: true }),
    'gptq int8': by({ bits: 8, method: 'gptq' }),
    awq: by({ bits: 4, headBits: 4, method: 'awq' }),
    sparsegpt: (random) => [lib.sparsegpt({ ...half, pattern: { keep: 2, of: 4 } }, invented(random))],
    wanda: (random) => [lib.wanda({ ...half, parallel: true }, invented(random))],
  };
}

/** Sums over a few random vectors: some of them over none, over zeros, over what is alike, or no numbers. */
function invented(random) {
  const number = () => uniformInt(random, -1000, 1000) / 500;
  const strange = [Number.NaN, Number.POSITIVE_INFINITY, 1e-300, 1e300];
  return {
    async measure(_, requests) {
      return requests.map(({ what, groups, columns }) => {
        const rows = uniformInt(random, 0, 5);
        const sums = new Float64Array(groups * columns * (what === 'gram' ? columns : 1));
        for (let row = 0; row < rows; row++) {
          const alike = number();
          const x = Float64Array.from({ length: columns }, () => (rows === 1 ? alike : rows === 2 ? 0 : number()));
          if (uniformInt(random, 0, 19) === 0) x[0] = strange[uniformInt(random, 0, strange.length - 1)];
          for (let at = 0; at < sums.length; at++) {
            const column = at % columns;
            sums[at] += x[column] * x[what === 'gram' ? Math.floor(at / columns) % columns : column];
          }
        }
        return { sums, rows };
      });
    },
  };
}

/** Fixtures with their weights in masks, and as sparse tensors. */
function packed(lib, files) {
  const ways = ['bitmask', 'sparse'].map((store) => [
    store,
    () => [lib.prune({ method: 'l1', amount: 0.95 }), lib.pack({ store })],
  ]);
  return made(lib, files, /digits-cnn-bn|if-branch|constant-node/, ways);
}

/** Fixtures with their weights in few bits, in each form. */
function lowered(lib, files) {
  const ways = ['multipliers', 'nbits', 'standard', 'folded'].map((form) => [
    form,
    () => [lib.quantize({ bits: 4, tableBits: 4, form, minElements: 0 })],
  ]);
  return made(lib, files, /mymodel|edge|a-table|dims\.onnx/, ways);
}

/** What passes make of the fixtures whose names match. */
async function made(lib, files, names, ways) {
  const out = [];
  for (const [what, passes] of ways) {
    for (const { name, bytes } of files.filter((one) => names.test(one.name))) {
      const model = await lib.readModel(lib.bytesSource(bytes));
      await lib.transform(model, ...passes());
      const sink = lib.bytesSink();
      await lib.writeModel(model, sink, { data: 'embed' });
      out.push({ name: `${what} ${name}`, bytes: sink.bytes() });
    }
  }
  return out;
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
