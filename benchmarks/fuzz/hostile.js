// Well-formed models that mean harm, by what they do.
import onnxProto from 'onnx-proto';

const { onnx } = onnxProto;
const range = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const encode = (model) => onnx.ModelProto.encode(onnx.ModelProto.fromObject(model)).finish();
const value = (name, ...dims) => ({
  name,
  type: {
    tensorType: {
      elemType: 1,
      shape: { dim: dims.map((dim) => (typeof dim === 'string' ? { dimParam: dim } : { dimValue: dim })) },
    },
  },
});
const node = (opType, input, output, attribute = []) => ({ opType, input, output, attribute });
const floats = (name, dims) => {
  const count = dims.reduce((product, dim) => product * dim, 1);
  return {
    name,
    dims,
    dataType: 1,
    rawData: new Uint8Array(Float32Array.from({ length: count }, (_, index) => Math.sin(index)).buffer),
  };
};
const integers = (name, list, dims = [list.length]) => ({
  name,
  dims,
  dataType: 7,
  rawData: new Uint8Array(BigInt64Array.from(list, BigInt).buffer),
});
const ints = (name, list) => ({ name, type: 7, ints: list });
const model = (graph, rest = {}) =>
  encode({
    irVersion: 8,
    opsetImport: [
      { domain: '', version: 17 },
      { domain: 'f', version: 1 },
    ],
    graph: { name: 'g', input: [value('x', 'n', 8)], output: [value('y', 'n', 8)], ...graph },
    ...rest,
  });
/** A chain of one operator from x to y; `more` are its other inputs. */
const chain = (size, opType, more = () => [], attribute = []) =>
  range(size, (index) =>
    node(
      opType,
      [index === 0 ? 'x' : `h${index}`, ...more(index)],
      [index === size - 1 ? 'y' : `h${index + 1}`],
      attribute,
    ),
  );

/** The models by name, each made when it is called. */
export function hostileModels(size) {
  const weight = floats('w', [8, 8]);
  const huge = 2 ** 40;
  return {
    'shapes without elements': () => {
      const shapes = { a: [0, huge], b: [huge, 0], c: [huge, 0, 1, 1], d: [0, huge, 3, 3], e: [1, 0, huge] };
      const nodes = [
        node('MatMul', ['x', 'a'], ['1']),
        node('Gemm', ['x', 'b'], ['2']),
        node('Conv', ['x', 'c'], ['3']),
        node('ConvTranspose', ['x', 'd'], ['4']),
        node('LSTM', ['x', 'e', 'e'], ['5']),
        node('Gather', ['b', 'x'], ['6']),
        node('BatchNormalization', ['3', 'b', 'b', 'b', 'b'], ['y']),
      ];
      return model({ node: nodes, initializer: Object.entries(shapes).map(([name, dims]) => floats(name, dims)) });
    },
    'sparse weight of 2^48 elements': () => {
      const sparse = {
        values: { ...floats('w', [1]), name: 'w' },
        indices: integers('', [5]),
        dims: [2 ** 24, 2 ** 24],
      };
      return model({ node: [node('MatMul', ['x', 'w'], ['y'])], sparseInitializer: [sparse] });
    },
    'chain of Identity': () => model({ node: chain(size, 'Identity') }),
    'chain of Transpose': () => model({ node: chain(size, 'Transpose', () => [], [ints('perm', [1, 0])]) }),
    'chain of Cast': () => model({ node: chain(size, 'Cast', () => [], [{ name: 'to', type: 2, i: 1 }]) }),
    'chain of Reshape': () =>
      model({ node: chain(size, 'Reshape', () => ['s']), initializer: [integers('s', [-1, 8])] }),
    'chain of Add': () => model({ node: chain(size, 'Add', () => ['b']), initializer: [floats('b', [8])] }),
    'chain of Mul': () => model({ node: chain(size, 'Mul', () => ['b']), initializer: [floats('b', [8])] }),
    'chain of MatMul with one weight': () => model({ node: chain(size, 'MatMul', () => ['w']), initializer: [weight] }),
    'chain of Relu': () => model({ node: chain(size, 'Relu') }),
    'detour of a weight': () => {
      const detour = range(size, (index) => node('Identity', [index === 0 ? 'w' : `t${index}`], [`t${index + 1}`]));
      return model({ node: [...detour, node('MatMul', ['x', `t${size}`], ['y'])], initializer: [weight] });
    },
    'fan of one value': () =>
      model({ node: range(size, (index) => node('MatMul', ['x', 'w'], [`y${index}`])), initializer: [weight] }),
    'weights, one a node': () =>
      model({
        node: chain(size, 'MatMul', (index) => [`w${index}`]),
        initializer: range(size, (index) => floats(`w${index}`, [2, 2])),
      }),
    'one output of every node': () =>
      model({ node: range(size, () => node('MatMul', ['x', 'w'], ['y'])), initializer: [weight] }),
    cycles: () =>
      model({
        node: range(size, (index) => node('Add', [`h${(index + 1) % size}`, 'w'], [`h${index}`])),
        initializer: [weight],
      }),
    'nodes that read themselves': () =>
      model({ node: range(size, (index) => node('Identity', [`h${index}`], [`h${index}`])) }),
    'inputs that are nowhere': () =>
      model({
        node: range(size, (index) => node('MatMul', [`no${index}`, 'w'], [`y${index}`])),
        initializer: [weight],
      }),
    'in the wrong order': () =>
      model({ node: chain(size, 'Add', () => ['b']).reverse(), initializer: [floats('b', [8])] }),
    'one node of many inputs': () =>
      model({
        node: [
          node(
            'Concat',
            range(size * 10, (index) => `x${index}`),
            ['y'],
            [{ name: 'axis', type: 2, i: 0 }],
          ),
        ],
      }),
    'one node of many outputs': () =>
      model({
        node: [
          node(
            'Split',
            ['x'],
            range(size * 10, (index) => `y${index}`),
          ),
        ],
      }),
    'names in megabytes': () => {
      const long = (index) => `${index}${'n'.repeat(2 ** 20 - 8)}`;
      return model({
        node: range(40, (index) => ({ ...node('MatMul', ['x', `${long(index)}`], [`y${index}`]), name: long(index) })),
        initializer: range(40, (index) => floats(long(index), [8, 8])),
      });
    },
    'long equation': () => {
      const equation = (text) => [{ name: 'equation', type: 3, s: Buffer.from(text) }];
      const texts = [
        'a'.repeat(size * 10),
        `${'a,'.repeat(size)}->`,
        `${' '.repeat(size * 10)}ab,bc->ac`,
        `${'.'.repeat(size)}ab,bc->ac`,
      ];
      return model({
        node: texts.map((text, index) => node('Einsum', ['x', 'w'], [`y${index}`], equation(text))),
        initializer: [weight],
      });
    },
    'long permutation': () =>
      model({
        node: [
          node(
            'Transpose',
            ['w'],
            ['t'],
            [
              ints(
                'perm',
                range(size * 10, (index) => index),
              ),
            ],
          ),
          node('MatMul', ['x', 't'], ['y']),
        ],
        initializer: [weight],
      }),
    'long shape': () =>
      model({
        node: [node('Reshape', ['w', 's'], ['t']), node('MatMul', ['x', 't'], ['y'])],
        initializer: [weight, integers('s', Array(size * 10).fill(1))],
      }),
    'bodies in bodies': () => {
      const body = (depth) => ({
        name: `b${depth}`,
        node: depth === 0 ? [node('MatMul', ['x', 'w'], ['o'])] : [branch(depth)],
        output: [value(depth === 0 ? 'o' : `o${depth}`)],
      });
      const branch = (depth) =>
        node(
          'If',
          ['c'],
          [`o${depth}`],
          ['then_branch', 'else_branch'].map((name, at) => ({
            name,
            type: 5,
            g: at === 0 ? body(depth - 1) : { name: 'e', output: [value('x')] },
          })),
        );
      return model({
        node: [branch(30)],
        initializer: [weight, { name: 'c', dims: [], dataType: 9, rawData: Uint8Array.of(1) }],
      });
    },
    'functions that call each other twice': () => {
      const functions = range(40, (depth) => ({
        domain: 'f',
        name: `f${depth}`,
        input: ['a'],
        output: ['o'],
        opsetImport: [
          { domain: '', version: 17 },
          { domain: 'f', version: 1 },
        ],
        node:
          depth === 39
            ? [node('Relu', ['a'], ['o'])]
            : [
                { ...node(`f${depth + 1}`, ['a'], ['m']), domain: 'f' },
                { ...node(`f${depth + 1}`, ['m'], ['o']), domain: 'f' },
              ],
      }));
      const call = { ...node('f0', ['x'], ['h']), domain: 'f' };
      return model({ node: [call, node('MatMul', ['h', 'w'], ['y'])], initializer: [weight] }, { functions });
    },
    'functions that call themselves': () => {
      const own = {
        domain: 'f',
        name: 'f',
        input: ['a'],
        output: ['o'],
        opsetImport: [{ domain: '', version: 17 }],
        node: [{ ...node('f', ['a'], ['o']), domain: 'f' }],
      };
      return model(
        {
          node: [{ ...node('f', ['x'], ['h']), domain: 'f' }, node('MatMul', ['h', 'w'], ['y'])],
          initializer: [weight],
        },
        { functions: [own] },
      );
    },
    'versions without end': () =>
      model(
        { node: [node('MatMul', ['x', 'w'], ['y'])], initializer: [weight] },
        { irVersion: 2 ** 52, opsetImport: [{ domain: '', version: 2 ** 52 }] },
      ),
  };
}
