/** Random networks of typical parts of image models. */
import { type AttributeSpec, buildModel, f32, float, i64, type NodeSpec, type TensorSpec } from './build.ts';

/** An image inside the network: rows are open, other dims known. */
interface Image {
  readonly name: string;
  readonly channels: number;
  readonly size: number;
}

/** The input of every network: three channels of eight by eight. */
export const IMAGE: readonly number[] = [2, 3, 8, 8];

/** A random network of `length` parts and a head of two or three classes. */
export function randomNetwork(
  next: () => number,
  length: number,
): { readonly bytes: Uint8Array; readonly parts: string[] } {
  const net = new Network(next);
  let image: Image = net.conv({ name: 'x', channels: 3, size: 8 }, net.pick([6, 8, 12]), 3);
  for (let part = 0; part < length; part++) image = net.part(image);
  net.head(image);
  const bytes = buildModel({
    opset: net.opset,
    inputs: { x: f32(['N', 3, 8, 8]) },
    outputs: { y: f32(['N', 'classes']) },
    nodes: net.nodes,
    initializers: net.weights,
  });
  return { bytes, parts: net.parts };
}

class Network {
  readonly nodes: NodeSpec[] = [];
  readonly weights: Record<string, TensorSpec> = {};
  readonly parts: string[] = [];
  readonly opset: number;
  readonly #next: () => number;

  constructor(next: () => number) {
    this.#next = next;
    this.opset = this.pick([11, 13, 17, 18]);
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#next() * list.length)] as T;
  }

  part(image: Image): Image {
    const kinds = {
      chain: () => this.act(this.conv(image, this.pick([4, 6, 8, 10]), this.pick([1, 3]))),
      residual: () => this.residual(image),
      depthwise: () => this.conv(this.act(this.grouped(image, image.channels)), this.pick([4, 8]), 1),
      grouped: () => this.conv(this.grouped(image, this.groupsFor(image)), this.pick([6, 8]), 1),
      normalized: () => this.act(this.norm(this.conv(image, this.pick([6, 8]), 3))),
      squeeze: () => this.squeeze(this.act(image)),
      concat: () => this.conv(this.concat(image), this.pick([6, 8]), 1),
      split: () => this.split(image),
      gate: () => this.gate(image),
      upsample: () => (image.size > 8 ? this.pool(image) : this.transpose(image)),
      resize: () => (image.size > 8 ? this.pool(image) : this.resize(image)),
      pool: () => (image.size < 4 ? this.act(image) : this.pool(image)),
      slice: () => this.slice(image),
      shuffle: () => this.shuffle(image),
    };
    const kind = this.pick(Object.keys(kinds) as (keyof typeof kinds)[]);
    this.parts.push(kind);
    return kinds[kind]();
  }

  conv(image: Image, channels: number, kernel: number): Image {
    const name = this.weight('w', [channels, image.channels, kernel, kernel]);
    const bias = this.#next() < 0.7 ? [this.weight('b', [channels])] : [];
    const pads = kernel === 3 ? [1, 1, 1, 1] : [0, 0, 0, 0];
    return { ...image, channels, name: this.node('Conv', [image.name, name, ...bias], { pads }) };
  }

  grouped(image: Image, group: number): Image {
    const wide = this.pick([1, 2]) * image.channels;
    const inputs = [image.name, this.weight('w', [wide, image.channels / group, 3, 3]), this.weight('b', [wide])];
    return { ...image, channels: wide, name: this.node('Conv', inputs, { group, pads: [1, 1, 1, 1] }) };
  }

  groupsFor({ channels }: Image): number {
    return this.pick([2, 3, 4].filter((one) => channels % one === 0).concat(1));
  }

  transpose(image: Image): Image {
    const group = this.#next() < 0.4 ? this.groupsFor(image) : 1;
    const channels = 8 * group;
    const inputs = [image.name, this.weight('w', [image.channels, 8, 2, 2]), this.weight('b', [channels])];
    return { name: this.node('ConvTranspose', inputs, { group, strides: [2, 2] }), channels, size: image.size * 2 };
  }

  act(image: Image): Image {
    const slope = (): string[] => [this.weight('slope', [image.channels, 1, 1])];
    const [op, extra] = this.pick([
      ['Relu', []],
      ['Sigmoid', []],
      ['Tanh', []],
      ['PRelu', slope()],
    ] as const);
    return { ...image, name: this.node(op, [image.name, ...extra]) };
  }

  norm(image: Image): Image {
    const { channels } = image;
    const [scale, shift] = [this.weight('scale', [channels]), this.weight('shift', [channels])];
    if (this.#next() < 0.3) return { ...image, name: this.node('InstanceNormalization', [image.name, scale, shift]) };
    const variance = this.weight('var', [channels], 0.5, 1.5);
    const inputs = [image.name, scale, shift, this.weight('mean', [channels]), variance];
    return { ...image, name: this.node('BatchNormalization', inputs) };
  }

  residual(image: Image): Image {
    const inner = this.act(this.conv(image, this.pick([4, 6]), 3));
    const outer = this.norm(this.conv(inner, image.channels, 1));
    const op = this.pick(['Add', 'Sub', 'Mul', 'Max']);
    const name =
      op === 'Max' ? this.node(op, [outer.name, image.name, outer.name]) : this.node(op, [outer.name, image.name]);
    return { ...image, name };
  }

  squeeze(image: Image): Image {
    const pooled = this.node('GlobalAveragePool', [image.name]);
    const small = this.conv({ name: pooled, channels: image.channels, size: 1 }, 4, 1);
    const large = this.conv(this.act(small), image.channels, 1);
    const gate = this.node('HardSigmoid', [large.name], { alpha: float(0.2) });
    return { ...image, name: this.node('Mul', this.#next() < 0.5 ? [gate, image.name] : [image.name, gate]) };
  }

  concat(image: Image): Image {
    const branches = [image, this.act(this.conv(image, 4, 3)), this.conv(image, 6, 1)].slice(this.pick([0, 1]));
    const channels = branches.reduce((sum, one) => sum + one.channels, 0);
    return {
      ...image,
      channels,
      name: this.node(
        'Concat',
        branches.map((one) => one.name),
        { axis: 1 },
      ),
    };
  }

  split(image: Image): Image {
    const wide = this.conv(image, 12, 1);
    const parts = [5, 7];
    const outs = [this.unique('s'), this.unique('s')];
    if (this.opset < 13)
      this.nodes.push({ op: 'Split', in: [wide.name], out: outs, attributes: { axis: 1, split: parts } });
    else this.nodes.push({ op: 'Split', in: [wide.name, this.ints(parts)], out: outs, attributes: { axis: 1 } });
    const [left, right] = outs.map((name, index): Image => ({ ...image, name, channels: parts[index] as number }));
    const one = this.act(this.conv(left as Image, 7, 3));
    return { ...image, channels: 7, name: this.node('Add', [one.name, (right as Image).name]) };
  }

  /** Two halves of one Conv, one of which gates the other. */
  gate(image: Image): Image {
    const wide = this.conv(image, 12, 1);
    const outs = [this.unique('s'), this.unique('s')];
    const attributes: Record<string, AttributeSpec> = this.opset >= 18 ? { axis: 1, num_outputs: 2 } : { axis: 1 };
    this.nodes.push({ op: 'Split', in: [wide.name], out: outs, attributes });
    const gate = this.node('Sigmoid', [outs[0] as string]);
    return { ...image, channels: 6, name: this.node('Mul', [gate, outs[1] as string]) };
  }

  pool(image: Image): Image {
    const op = this.pick(['MaxPool', 'AveragePool']);
    return {
      ...image,
      size: image.size / 2,
      name: this.node(op, [image.name], { kernel_shape: [2, 2], strides: [2, 2] }),
    };
  }

  resize(image: Image): Image {
    this.weights['scales'] = f32([4], [1, 1, 2, 2]);
    this.weights['roi'] = f32([0], []);
    const attributes = { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
    return { ...image, size: image.size * 2, name: this.node('Resize', [image.name, 'roi', 'scales'], attributes) };
  }

  slice(image: Image): Image {
    const [start, end] = [1, image.channels - 1];
    const inputs = [image.name, this.ints([start]), this.ints([end]), this.ints([1])];
    return this.conv({ ...image, channels: end - start, name: this.node('Slice', inputs) }, 6, 1);
  }

  /** Permutes channels, as ShuffleNet does between groups. */
  shuffle(image: Image): Image {
    const groups = this.groupsFor(image);
    const { channels, size } = image;
    const cut = this.node('Reshape', [image.name, this.ints([-1, groups, channels / groups, size, size])]);
    const turned = this.node('Transpose', [cut], { perm: [0, 2, 1, 3, 4] });
    return { ...image, name: this.node('Reshape', [turned, this.ints([0, channels, size, size])]) };
  }

  head(image: Image): void {
    const { channels, size } = image;
    const [flat, features] = this.pick([
      () => [this.node('Flatten', [image.name], { axis: 1 }), channels * size * size] as const,
      () => [this.node('Reshape', [image.name, this.ints([0, -1])]), channels * size * size] as const,
      () => [this.node('Flatten', [this.node('GlobalMaxPool', [image.name])]), channels] as const,
      () => [this.computed(image), channels * size * size] as const,
      () => [this.mean(image), channels] as const,
    ])();
    const hidden = this.node('Relu', [
      this.node('Gemm', [flat, this.weight('w', [9, features]), this.weight('b', [9])], { transB: 1 }),
    ]);
    const logits = this.node('MatMul', [hidden, this.weight('w', [9, 3])]);
    this.nodes.push({ op: 'Add', in: [this.weight('b', [3]), logits], out: ['y'] });
  }

  mean(image: Image): string {
    if (this.opset < 18) return this.node('ReduceMean', [image.name], { axes: [2, 3], keepdims: 0 });
    return this.node('ReduceMean', [image.name, this.ints([2, 3])], { keepdims: 0 });
  }

  /** The shape as PyTorch's tracer writes it: `x.view(x.shape[0], -1)`. */
  computed(image: Image): string {
    const shape = this.node('Shape', [image.name]);
    this.weights['zero'] = i64([], [0]);
    const rows = this.node('Gather', [shape, 'zero'], { axis: 0 });
    const axes = this.opset < 13 ? { attributes: { axes: [0] }, more: [] } : { attributes: {}, more: [this.ints([0])] };
    const vector = this.node('Unsqueeze', [rows, ...axes.more], axes.attributes);
    return this.node('Reshape', [image.name, this.node('Concat', [vector, this.ints([-1])], { axis: 0 })]);
  }

  node(op: string, inputs: readonly string[], attributes: Readonly<Record<string, AttributeSpec>> = {}): string {
    const out = this.unique(op.toLowerCase());
    this.nodes.push({ op, in: inputs, out: [out], name: `${op}_${out}`, attributes });
    return out;
  }

  weight(base: string, dims: readonly number[], low = -0.6, high = 0.6): string {
    const name = this.unique(base);
    const length = dims.reduce((all, one) => all * one, 1);
    this.weights[name] = f32(
      dims,
      Array.from({ length }, () => low + (high - low) * this.#next()),
    );
    return name;
  }

  ints(values: readonly number[]): string {
    const name = this.unique('ints');
    this.weights[name] = i64([values.length], values);
    return name;
  }

  #count = 0;
  unique(base: string): string {
    this.#count++;
    return `${base}${this.#count}`;
  }
}
