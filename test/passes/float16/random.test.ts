/** Random graphs of what exporters write: both forms load, keep names and types, are sorted, and compute nearly the same. */
import { expect, test } from '@jest/globals';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Float16Options, Graph } from '../../../src/index.node.ts';
import { bodiesOf } from '../../../src/ir/node.ts';
import {
  type AttributeSpec,
  buildModel,
  type FunctionSpec,
  f32,
  type GraphSpec,
  i64,
  type ModelSpec,
  type NodeSpec,
  type TensorSpec,
  type ValueSpec,
  value,
} from '../../support/build.ts';
import { randomFloats, seeded } from '../../support/random.ts';
import { inSixteenBits } from '../../support/sixteen.ts';
import { sqnr } from '../../support/sqnr.ts';

const [ROWS, WIDTH] = [2, 16];
const DIMS = [ROWS, WIDTH] as const;
/** Graphs for each form. */
const GRAPHS = 15;
const NODES = 9;
const [FLOAT, INT32, HALF, DOUBLE] = [1, 6, 10, 11];

const FUNCTION: FunctionSpec = {
  name: 'Scaled',
  domain: 'local',
  opset: 18,
  inputs: ['a', 'b'],
  outputs: ['c'],
  nodes: [
    { op: 'Constant', in: [], out: ['k'], attributes: { value: f32([WIDTH], randomFloats([WIDTH], 5)) } },
    { op: 'Mul', in: ['a', 'k'], out: ['m'] },
    { op: 'Add', in: ['m', 'b'], out: ['c'] },
  ],
};

/** Writes a random graph. Every value it draws from is float32 [2, 16]. */
class Drawing {
  readonly nodes: NodeSpec[] = [];
  readonly initializers: Record<string, TensorSpec> = {};
  readonly #random: () => number;
  readonly #values: string[];
  readonly #root: Drawing;
  readonly #depth: number;
  #count = 0;

  constructor(random: () => number, values: readonly string[], parent?: Drawing) {
    this.#random = random;
    this.#values = [...values];
    this.#root = parent === undefined ? this : parent.#root;
    this.#depth = parent === undefined ? 0 : parent.#depth + 1;
  }

  get last(): string {
    return this.#values.at(-1) as string;
  }

  /** Adds nodes that compute one more value. */
  step(): void {
    const kinds = [
      ...[
        this.#product,
        this.#product,
        this.#unary,
        this.#unary,
        this.#binary,
        this.#casts,
        this.#concat,
        this.#resize,
      ],
      ...[this.#norm, this.#sum, this.#sequence, this.#optional, this.#call, this.#quantized, this.#where, this.#table],
      ...[this.#filled, this.#clip],
      ...(this.#depth < 2 ? [this.#branch, this.#loop, this.#scan] : []),
    ];
    this.#values.push(this.#pick(kinds).call(this));
  }

  /** A body of some steps, with an output of its own name. */
  body(steps: number, values: readonly string[]): { readonly nodes: NodeSpec[]; readonly output: string } & GraphSpec {
    const inner = new Drawing(this.#random, [...this.#values, ...values], this);
    for (let step = 0; step < steps; step++) inner.step();
    // Without steps, the body gives what is around it.
    const output = inner.#node('Identity', [inner.last]);
    return { nodes: inner.nodes, initializers: inner.initializers, outputs: { [output]: f32(DIMS) }, output };
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }

  #value(): string {
    return this.#pick(this.#values);
  }

  #name(of: string): string {
    return `${of}_${this.#root.#count++}`;
  }

  #node(op: string, inputs: readonly string[], attributes: Record<string, AttributeSpec> = {}, domain = ''): string {
    const out = this.#name(op);
    this.nodes.push({ op, domain, in: inputs, out: [out], name: `node_${out}`, attributes });
    return out;
  }

  /** A constant: of this graph, of the main graph, or of a node; often one that there is already. */
  #constant(dims: readonly number[]): string {
    const { initializers } = this.#random() < 0.5 ? this : this.#root;
    const same = Object.entries(initializers).filter(
      ([, one]) => one.dtype === 'float32' && `${one.dims}` === `${dims}`,
    );
    if (same.length > 0 && this.#random() < 0.4) return this.#pick(same)[0];
    const tensor = f32(dims, randomFloats(dims, 1 + this.#root.#count, -0.5, 0.5));
    if (this.#random() < 0.3) return this.#node('Constant', [], { value: tensor });
    const name = this.#name('const');
    initializers[name] = tensor;
    return name;
  }

  #ints(...data: number[]): string {
    const name = this.#name('ints');
    this.initializers[name] = i64([data.length], data);
    return name;
  }

  #product(): string {
    return this.#node('MatMul', [this.#value(), this.#constant([WIDTH, WIDTH])]);
  }

  #unary(): string {
    return this.#node(this.#pick(['Relu', 'Sigmoid', 'Tanh', 'Softmax', 'Identity', 'Neg', 'Erf', 'Softplus']), [
      this.#value(),
    ]);
  }

  #binary(): string {
    const other = this.#random() < 0.5 ? this.#value() : this.#constant(this.#pick([[WIDTH], [1], DIMS]));
    return this.#node(this.#pick(['Add', 'Sub', 'Mul', 'Max']), [this.#value(), other]);
  }

  #casts(): string {
    let found = this.#value();
    for (const to of this.#pick([
      [HALF, FLOAT],
      [FLOAT],
      [DOUBLE, FLOAT],
      [INT32, FLOAT],
      [HALF, DOUBLE, HALF, FLOAT],
    ])) {
      found = this.#node('Cast', [found], { to });
    }
    return found;
  }

  #concat(): string {
    const joined = this.#node('Concat', [this.#value(), this.#value()], { axis: 1 });
    return this.#node('Slice', [joined, this.#ints(8), this.#ints(8 + WIDTH), this.#ints(1)]);
  }

  #resize(): string {
    const image = this.#node('Reshape', [this.#value(), this.#ints(1, ROWS, 4, 4)]);
    const scales = this.#name('scales');
    this.initializers[scales] = f32([4], [1, 1, 2, 2]);
    const large = this.#node('Resize', [image, '', scales], { mode: this.#pick(['nearest', 'linear']) });
    const small = this.#node('MaxPool', [large], { kernel_shape: [2, 2], strides: [2, 2] });
    return this.#node('Reshape', [small, this.#ints(...DIMS)]);
  }

  #norm(): string {
    return this.#node('LayerNormalization', [this.#value(), this.#constant([WIDTH]), this.#constant([WIDTH])]);
  }

  #sum(): string {
    const mean = this.#node(this.#pick(['ReduceMean', 'ReduceMax']), [this.#value(), this.#ints(1)]);
    return this.#node('Add', [this.#value(), mean]);
  }

  #sequence(): string {
    const all = this.#node('SequenceConstruct', [this.#value(), this.#value()]);
    const at = this.#name('at');
    this.initializers[at] = i64([], [1]);
    return this.#node('SequenceAt', [all, at]);
  }

  #optional(): string {
    return this.#node('OptionalGetElement', [this.#node('Optional', [this.#value()])]);
  }

  #call(): string {
    return this.#node('Scaled', [this.#value(), this.#value()], {}, 'local');
  }

  #quantized(): string {
    const scale = this.#name('scale');
    this.initializers[scale] = f32([], [0.002]);
    const zero = this.#name('zero');
    this.initializers[zero] = { dtype: 'int16', dims: [], data: Int16Array.of(0) };
    const wide = this.#node('Tanh', [this.#value()]);
    const integers = this.#node('QuantizeLinear', [wide, scale, zero], {}, 'com.microsoft');
    return this.#node('DequantizeLinear', [integers, scale, zero], {}, 'com.microsoft');
  }

  #where(): string {
    return this.#node('Where', [this.#flag([1]), this.#value(), this.#value()]);
  }

  #flag(dims: readonly number[]): string {
    const flag = this.#name('flag');
    this.initializers[flag] = { dtype: 'bool', dims, data: Uint8Array.of(this.#random() < 0.5 ? 1 : 0) };
    return this.#node('Identity', [flag]);
  }

  #table(): string {
    const rows = this.#node('Gather', [this.#constant([40, WIDTH]), this.#ints(3, 39)]);
    return this.#node('Add', [rows, this.#value()]);
  }

  #filled(): string {
    const filled = this.#node('ConstantOfShape', [this.#node('Shape', [this.#value()])], { value: f32([1], [0.3]) });
    return this.#node('Mul', [filled, this.#value()]);
  }

  #clip(): string {
    const most = this.#name('most');
    this.initializers[most] = f32([], [6]);
    return this.#node('Clip', [this.#value(), '', most]);
  }

  #branch(): string {
    const branch = (): GraphSpec => this.body(Math.floor(this.#random() * 3), []);
    return this.#node('If', [this.#flag([])], { then_branch: branch(), else_branch: branch() });
  }

  #loop(): string {
    const trips = this.#name('trips');
    this.initializers[trips] = i64([], [2]);
    const [state, going, trip] = [this.#name('state'), this.#name('going'), this.#name('trip')];
    const { output, ...body } = this.body(2, [state]);
    const on = this.#name('on');
    const looped: GraphSpec = {
      ...body,
      inputs: { [trip]: i64([]), [going]: value('bool', []), [state]: f32(DIMS) },
      nodes: [...body.nodes, { op: 'Identity', in: [going], out: [on] }],
      outputs: { [on]: value('bool', []), [output]: f32(DIMS) },
    };
    return this.#node('Loop', [trips, '', this.#value()], { body: looped });
  }

  #scan(): string {
    const [state, row] = [this.#name('state'), this.#name('row')];
    const { output, ...body } = this.body(1, [state]);
    const each = this.#name('each');
    const scanned: GraphSpec = {
      ...body,
      inputs: { [state]: f32(DIMS), [row]: f32([WIDTH]) },
      nodes: [...body.nodes, { op: 'Tanh', in: [row], out: [each] }],
      outputs: { [output]: f32(DIMS), [each]: f32([WIDTH]) },
    };
    const [final, rows] = [this.#name('final'), this.#name('rows')];
    const attributes = { num_scan_inputs: 1, body: scanned };
    this.nodes.push({
      op: 'Scan',
      in: [this.#value(), this.#value()],
      out: [final, rows],
      name: `node_${final}`,
      attributes,
    });
    return this.#node('Add', [final, rows]);
  }
}

function drawn(seed: number): ModelSpec {
  const random = seeded(seed);
  const drawing = new Drawing(random, ['x', 'z']);
  while (drawing.nodes.length < NODES) drawing.step();
  drawing.initializers['given'] = f32(DIMS, randomFloats(DIMS, seed));
  const outputs: Record<string, ValueSpec> = { [drawing.last]: f32(DIMS) };
  // An output that is a constant.
  if (random() < 0.3) outputs['given'] = f32(DIMS);
  const { nodes, initializers } = drawing;
  return {
    opset: 18,
    domains: { local: 1, 'com.microsoft': 1 },
    functions: [FUNCTION],
    inputs: { x: f32(['rows', WIDTH]), z: f32(DIMS) },
    ...{ outputs, nodes, initializers },
  };
}

/** Nodes that come before what they read, by name. */
function unsorted(graph: Graph, around: ReadonlySet<string>): string[] {
  const known = new Set([...around, ...graph.inputs.map(({ name }) => name), ...graph.initializers.keys(), '']);
  return graph.nodes.flatMap((node) => {
    const early = node.inputs.filter((one) => !known.has(one));
    const inside = bodiesOf(node).flatMap((body) => unsorted(body, known));
    for (const one of node.outputs) known.add(one);
    return [...early, ...inside];
  });
}

const OPTIONS: InferenceSession.SessionOptions = { intraOpNumThreads: 1, logSeverityLevel: 4 };
const FEEDS = {
  x: new Tensor('float32', randomFloats(DIMS, 3), DIMS),
  z: new Tensor('float32', randomFloats(DIMS, 4), DIMS),
};

async function ran(bytes: Uint8Array): Promise<{ interfaces: unknown; outputs: Record<string, Tensor> }> {
  const session = await InferenceSession.create(bytes, OPTIONS);
  try {
    const { inputMetadata, outputMetadata } = session;
    const typed = [...inputMetadata, ...outputMetadata].map((one) => [one.name, one.isTensor && one.type]);
    return { interfaces: typed, outputs: (await session.run(FEEDS)) as Record<string, Tensor> };
  } finally {
    await session.release();
  }
}

test.each<readonly [string, Float16Options, number]>([
  ['stored', { minElements: 1 }, 45],
  ['computed', { compute: 'float16' }, 40],
])('random graphs, %s', async (_, options, least) => {
  for (let seed = 1; seed <= GRAPHS; seed++) {
    const source = buildModel(drawn(seed));
    const before = await ran(source);
    const { model, bytes } = await inSixteenBits(source, options);
    const after = await ran(bytes);
    expect([seed, after.interfaces]).toEqual([seed, before.interfaces]);
    expect([seed, ...unsorted(model.graph, new Set())]).toEqual([seed]);
    const kept = sqnr(before.outputs, after.outputs);
    expect([seed, kept > least ? 'enough' : kept]).toEqual([seed, 'enough']);
  }
});
