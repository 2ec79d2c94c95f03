/** Weights in bodies and functions, captured or passed on. */
import { f32, type GraphSpec, i64, type ModelSpec, type NodeSpec, value } from '../../support/build.ts';
import { type Case, ints, matMul, model, weight } from './case.ts';

const flag = { c: value('bool', []) };
const x = f32([2, 8]);
const branch = (nodes: readonly NodeSpec[], initializers = {}): GraphSpec => ({
  nodes,
  outputs: { [nodes.at(-1)?.out[0] ?? '']: f32([2, 8]) },
  initializers,
});

const either = (then_branch: GraphSpec, else_branch: GraphSpec): NodeSpec => ({
  op: 'If',
  name: 'if',
  in: ['c'],
  out: ['y'],
  attributes: { then_branch, else_branch },
});

const inBranches: ModelSpec = model(
  [
    either(
      branch([{ op: 'MatMul', name: 'a', in: ['x', 'wa'], out: ['ya'] }], { wa: weight([8, 8]) }),
      branch([{ op: 'MatMul', name: 'b', in: ['x', 'outside'], out: ['yb'] }]),
    ),
  ],
  { outside: weight([8, 8], 2) },
  { inputs: { x, ...flag } },
);

const loop: ModelSpec = model(
  [
    {
      op: 'Loop',
      name: 'loop',
      in: ['n', '', 'x'],
      out: ['y'],
      attributes: {
        body: {
          inputs: { i: i64([]), go: value('bool', []), h: f32([2, 8]) },
          outputs: { go2: value('bool', []), h2: f32([2, 8]) },
          nodes: [
            { op: 'Identity', in: ['go'], out: ['go2'] },
            { op: 'MatMul', name: 'inside', in: ['h', 'w'], out: ['h2'] },
          ],
        },
      },
    },
  ],
  { w: weight([8, 8]), n: { dtype: 'int64', dims: [], data: BigInt64Array.of(3n) } },
);

const scan: ModelSpec = model(
  [
    {
      op: 'Scan',
      name: 'scan',
      in: ['h0', 'x'],
      out: ['last', 'y'],
      attributes: {
        num_scan_inputs: 1,
        body: {
          inputs: { h: f32([1, 8]), e: f32([1, 8]) },
          outputs: { h2: f32([1, 8]), o: f32([1, 8]) },
          nodes: [
            { op: 'MatMul', name: 'inside', in: ['e', 'w'], out: ['p'] },
            { op: 'Add', in: ['p', 'h'], out: ['h2'] },
            { op: 'Identity', in: ['h2'], out: ['o'] },
          ],
          initializers: { w: weight([8, 8]) },
        },
      },
    },
  ],
  { h0: weight([1, 8], 2) },
  { x: f32([3, 1, 8]) },
);

const own = { domain: 'own', opset: 17 };
const constantW: NodeSpec = { op: 'Constant', in: [], out: ['k'], attributes: { value: weight([8, 8]) } };
const linear = {
  ...own,
  name: 'Linear',
  inputs: ['a', 'm', 'bias'],
  outputs: ['r'],
  attributes: ['slope'],
  nodes: [
    { op: 'MatMul', name: 'mm', in: ['a', 'm'], out: ['t'] },
    { op: 'Add', in: ['t', 'bias'], out: ['u'] },
    { op: 'LeakyRelu', in: ['u'], out: ['r'], attributes: { alpha: { reference: 'slope', type: 'FLOAT' } } },
  ] as readonly NodeSpec[],
};
const call = (
  name: string,
  inputs: readonly string[],
  out: string,
  attributes: NodeSpec['attributes'] = {},
): NodeSpec => ({
  op: name,
  domain: 'own',
  name: `call_${out}`,
  in: inputs,
  out: [out],
  attributes,
});
const domains = { own: 1 };

export const NESTING: readonly Case[] = [
  { name: 'weights in a branch of If, and captured by one', spec: inBranches, changed: ['wa', 'outside'] },
  {
    name: 'weights in a branch of If, weights only',
    spec: inBranches,
    options: { weightsOnly: true },
    changed: ['wa', 'outside'],
  },
  { name: 'weight captured by the body of Loop', spec: loop, changed: ['w'] },
  { name: 'weight in the body of Scan', spec: scan, changed: ['w'] },
  {
    name: 'weight in a function that is called twice',
    spec: model(
      [call('F', ['x'], 'h'), call('F', ['h'], 'y')],
      {},
      {
        domains,
        functions: [
          {
            ...own,
            name: 'F',
            inputs: ['a'],
            outputs: ['b'],
            nodes: [constantW, { op: 'MatMul', in: ['a', 'k'], out: ['b'] }],
          },
        ],
      },
    ),
    changed: ['k'],
    hasNot: ['F'],
  },
  {
    name: 'weights handed to a function, with attributes by reference',
    spec: model(
      [call('Linear', ['x', 'w1', 'b'], 'h', { slope: { float: 0.25 } }), call('Linear', ['h', 'w2', 'b'], 'y')],
      { w1: weight([8, 8]), w2: weight([8, 8], 2), b: weight([8], 3) },
      { domains, functions: [linear] },
    ),
    changed: ['w1', 'w2'],
    hasNot: ['Linear', 'Add'],
  },
  {
    name: 'functions that call functions',
    spec: model(
      [call('Two', ['x', 'w'], 'y')],
      { w: weight([8, 8]), b: weight([8], 3) },
      {
        domains,
        functions: [
          {
            ...own,
            name: 'Two',
            domains,
            inputs: ['a', 'm'],
            outputs: ['z'],
            nodes: [call('One', ['a', 'm'], 's'), call('One', ['s', 'm'], 'z')],
          },
          {
            ...own,
            name: 'One',
            inputs: ['a', 'm'],
            outputs: ['t'],
            nodes: [{ op: 'MatMul', name: 'deep', in: ['a', 'm'], out: ['t'] }],
          },
        ],
      },
    ),
    changed: ['w'],
    hasNot: ['One', 'Two'],
  },
  {
    name: 'a function with a body that captures its inputs',
    spec: model(
      [{ op: 'F', domain: 'own', name: 'f', in: ['x', 'w', 'c'], out: ['y'] }],
      { w: weight([8, 8]) },
      {
        inputs: { x, ...flag },
        domains,
        functions: [
          {
            ...own,
            name: 'F',
            inputs: ['a', 'm', 'k'],
            outputs: ['r'],
            nodes: [
              {
                op: 'If',
                in: ['k'],
                out: ['r'],
                attributes: {
                  then_branch: branch([{ op: 'MatMul', in: ['a', 'm'], out: ['t'] }]),
                  else_branch: branch([{ op: 'Neg', in: ['a'], out: ['t'] }]),
                },
              },
              { op: 'Neg', in: ['r'], out: ['s'] },
            ],
          },
        ],
      },
    ),
    changed: ['w'],
    hasNot: ['F'],
  },
  {
    name: 'a function of activations alone stays a function',
    spec: model(
      [call('F', ['x'], 'h'), { ...matMul, in: ['h', 'w'] }],
      { w: weight([8, 4]) },
      {
        domains: { own: 1, own2: 1 },
        functions: [
          {
            ...own,
            name: 'F',
            inputs: ['a'],
            outputs: ['b'],
            nodes: [{ op: 'MatMulT', domain: 'own2', in: ['a'], out: ['b'] }],
            domains: { own2: 1 },
          },
          {
            ...own,
            domain: 'own2',
            name: 'MatMulT',
            inputs: ['a'],
            outputs: ['b'],
            nodes: [
              { op: 'Transpose', in: ['a'], out: ['t'] },
              { op: 'MatMul', in: ['a', 't'], out: ['g'] },
              { op: 'MatMul', in: ['g', 'a'], out: ['b'] },
            ],
          },
        ],
      },
    ),
    changed: ['w'],
    has: ['F'],
  },
  {
    name: 'names in any script, none, and those we would give',
    spec: model(
      [
        { op: 'MatMul', name: '', in: ['x', '重み 🚀'], out: ['__proto__'] },
        { op: 'MatMul', name: 'same', in: ['__proto__', 'w'], out: ['constructor'] },
        { op: 'MatMul', name: 'x_Sum', in: ['constructor', 'w_quantized'], out: ['x_quantized'] },
        { op: 'Add', name: 'y_Sum', in: ['x_quantized', 'w_scale'], out: ['y'] },
      ],
      { '重み 🚀': weight([8, 8]), w: weight([8, 8], 2), w_quantized: weight([8, 8], 3), w_scale: weight([8], 4) },
    ),
    changed: ['重み 🚀', 'w', 'w_quantized'],
  },
  {
    name: 'a node of ONNX Runtime’s own is left in peace',
    spec: model(
      [
        {
          op: 'FusedMatMul',
          domain: 'com.microsoft',
          name: 'theirs',
          in: ['x', 'v'],
          out: ['h'],
          attributes: { alpha: { float: 0.5 } },
        },
        { ...matMul, in: ['h', 'w'] },
      ],
      { v: weight([8, 8], 2), w: weight([8, 4]) },
      { domains: { 'com.microsoft': 1 } },
    ),
    changed: ['w'],
    has: ['FusedMatMul'],
  },
  {
    name: 'a table that is the output layer too',
    spec: {
      opset: 17,
      inputs: { ids: i64([4]) },
      outputs: { y: f32() },
      nodes: [
        { op: 'Gather', name: 'embed', in: ['table', 'ids'], out: ['h'] },
        { op: 'Transpose', in: ['table'], out: ['t'] },
        { op: 'MatMul', name: 'head', in: ['h', 't'], out: ['y'] },
      ],
      initializers: { table: weight([64, 32]) },
    },
    changed: ['table'],
    has: ['Gather', 'Transpose', 'MatMul'],
  },
  {
    name: 'shape arithmetic is no weight',
    spec: model(
      [
        { op: 'Shape', in: ['x'], out: ['s'] },
        { op: 'Gather', in: ['s', 'zero'], out: ['n'] },
        { op: 'Reshape', in: ['x', 'n2'], out: ['h'] },
        { ...matMul, in: ['h', 'w'] },
        { op: 'Shape', in: ['n'], out: ['unused'] },
      ],
      { zero: ints(0), n2: ints(-1, 8), w: weight([8, 4]) },
    ),
    changed: ['w'],
  },
];
