// Networks as mobile detectors and classifiers are built, with seeded random weights: what integers may make slower.
import onnxProto from 'onnx-proto';

const { onnx } = onnxProto;

/** A network that grows layer by layer; values have dims [1, channels, side, side]. */
class Net {
  constructor(channels, side) {
    this.state = 1;
    this.node = [];
    this.initializer = [];
    this.input = [1, channels, side, side];
    this.outputs = [];
  }
  noise(count, scale) {
    return Float32Array.from({ length: count }, () => {
      let sum = 0;
      for (let one = 0; one < 4; one++) {
        this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
        sum += this.state / 2 ** 31 - 1;
      }
      return sum * 0.87 * scale;
    });
  }
  tensor(dims, scale) {
    const name = `w${this.initializer.length}`;
    const data = this.noise(
      dims.reduce((a, b) => a * b, 1),
      scale,
    );
    this.initializer.push({ name, dims, dataType: 1, rawData: new Uint8Array(data.buffer) });
    return name;
  }
  add(opType, inputs, attributes = {}) {
    const output = `v${this.node.length}`;
    const attribute = Object.entries(attributes).map(([name, value]) =>
      Array.isArray(value) ? { name, type: 7, ints: value } : { name, type: 2, i: value },
    );
    this.node.push({ opType, name: output, input: inputs, output: [output], attribute });
    return output;
  }
  get x() {
    return { name: 'x', dims: this.input };
  }
  act(kind, value) {
    if (kind === undefined) return value;
    if (kind === 'relu6') return { ...value, name: this.add('Clip', [value.name, this.bound(0), this.bound(6)]) };
    return { ...value, name: this.add(kind, [value.name]) };
  }
  bound(value) {
    const name = `bound${value}`;
    if (!this.initializer.some((one) => one.name === name)) {
      const rawData = new Uint8Array(Float32Array.of(value).buffer);
      this.initializer.push({ name, dims: [], dataType: 1, rawData });
    }
    return name;
  }
  conv(value, out, kernel, { stride = 1, groups = 1, act = 'Relu' } = {}) {
    const [, c, side] = value.dims;
    const fan = (c / groups) * kernel * kernel;
    const pad = (kernel - 1) >> 1;
    const inputs = [
      value.name,
      this.tensor([out, c / groups, kernel, kernel], Math.sqrt(2 / fan)),
      this.tensor([out], 0.1),
    ];
    const attributes = {
      group: groups,
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      kernel_shape: [kernel, kernel],
    };
    const places = Math.ceil(side / stride);
    return this.act(act, { name: this.add('Conv', inputs, attributes), dims: [1, out, places, places] });
  }
  depthwise(value, kernel, more = {}) {
    return this.conv(value, value.dims[1], kernel, { ...more, groups: value.dims[1] });
  }
  sum(a, b, act) {
    return this.act(act, { ...a, name: this.add('Add', [a.name, b.name]) });
  }
  concat(...values) {
    const [, , side] = values[0].dims;
    const name = this.add(
      'Concat',
      values.map((one) => one.name),
      { axis: 1 },
    );
    return { name, dims: [1, values.reduce((sum, { dims }) => sum + dims[1], 0), side, side] };
  }
  pool(value, opType, kernel, stride) {
    const pads = Array(4).fill(stride === 1 ? (kernel - 1) >> 1 : 0);
    const name = this.add(opType, [value.name], { kernel_shape: [kernel, kernel], strides: [stride, stride], pads });
    const side = Math.floor(value.dims[2] / stride);
    return { name, dims: [1, value.dims[1], side, side] };
  }
  excite(value, pooled = 'GlobalAveragePool') {
    const [, c] = value.dims;
    const name = this.add(pooled, [value.name], pooled === 'ReduceMean' ? { axes: [2, 3] } : {});
    const squeezed = this.conv({ name, dims: [1, c, 1, 1] }, c / 4, 1);
    const gate = this.conv(squeezed, c, 1, { act: 'HardSigmoid' });
    return { ...value, name: this.add('Mul', [value.name, gate.name]) };
  }
  end(...values) {
    this.outputs.push(...values);
    return this;
  }
  bytes() {
    const info = (name, dims) => ({
      name,
      type: { tensorType: { elemType: 1, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
    });
    const output = this.outputs.map(({ name, dims }) => info(name, dims));
    const graph = {
      name: 'net',
      node: this.node,
      initializer: this.initializer,
      input: [info('x', this.input)],
      output,
    };
    return onnx.ModelProto.encode(
      onnx.ModelProto.create({ irVersion: 8, opsetImport: [{ domain: '', version: 17 }], graph }),
    ).finish();
  }
}

/** An inverted residual: wide, one filter a channel, narrow. */
function inverted(net, value, out, { stride = 1, widen = 6, act = 'relu6', excite = false } = {}) {
  const wide = net.conv(value, value.dims[1] * widen, 1, { act });
  let spread = net.depthwise(wide, 3, { stride, act });
  if (excite) spread = net.excite(spread, 'ReduceMean');
  const narrow = net.conv(spread, out, 1, { act: undefined });
  return stride === 1 && out === value.dims[1] ? net.sum(value, narrow) : narrow;
}

/** A backbone of inverted residuals, by the width and stride of each. */
function backbone(net, act, excite, blocks) {
  let value = net.conv(net.x, 16, 3, { stride: 2, act });
  return blocks.map(([out, stride]) => {
    value = inverted(net, value, out, { stride, act, excite });
    return value;
  });
}

const MOBILE = [
  [24, 2],
  [24, 1],
  [32, 2],
  [32, 1],
  [64, 2],
  [64, 1],
  [96, 1],
  [160, 2],
  [160, 1],
];

export const NETS = {
  'mobilenet v2': () => {
    const net = new Net(3, 160);
    return net.end(backbone(net, 'relu6', false, MOBILE).at(-1));
  },
  'mobilenet v3': () => {
    const net = new Net(3, 160);
    return net.end(backbone(net, 'HardSwish', true, MOBILE).at(-1));
  },
  ssdlite: () => {
    const net = new Net(3, 160);
    const maps = backbone(net, 'relu6', false, MOBILE);
    const heads = [maps[6], maps[8]].flatMap((map) =>
      [24, 126].map((out) => {
        return net.conv(net.depthwise(map, 3, { act: 'relu6' }), out, 1, { act: undefined });
      }),
    );
    return net.end(...heads);
  },
  ghostnet: () => {
    const net = new Net(3, 160);
    const ghost = (value, out, act) => {
      const half = net.conv(value, out / 2, 1, { act });
      return net.concat(half, net.depthwise(half, 3, { act }));
    };
    let value = net.conv(net.x, 16, 3, { stride: 2 });
    for (const [wide, out, stride] of [
      [48, 24, 2],
      [72, 24, 1],
      [72, 40, 2],
      [120, 40, 1],
      [240, 80, 2],
      [200, 80, 1],
      [480, 112, 1],
    ]) {
      let inner = ghost(value, wide, 'Relu');
      if (stride === 2) inner = net.depthwise(inner, 3, { stride: 2, act: undefined });
      inner = ghost(net.excite(inner), out, undefined);
      value = stride === 1 && out === value.dims[1] ? net.sum(value, inner) : inner;
    }
    return net.end(value);
  },
  shufflenet: () => {
    const net = new Net(3, 224);
    let value = net.pool(net.conv(net.x, 24, 3, { stride: 2 }), 'MaxPool', 3, 2);
    for (const [out, repeats] of [
      [48, 3],
      [96, 5],
      [192, 3],
    ]) {
      const left = net.conv(net.depthwise(value, 3, { stride: 2, act: undefined }), out / 2, 1);
      const right = net.conv(net.depthwise(net.conv(value, out / 2, 1), 3, { stride: 2, act: undefined }), out / 2, 1);
      value = net.concat(left, right);
      for (let one = 0; one < repeats; one++) {
        const side = net.conv(value, out / 2, 1);
        value = net.concat(side, net.conv(net.depthwise(side, 3, { act: undefined }), out / 2, 1));
      }
    }
    return net.end(net.conv(net.pool(value, 'AveragePool', 3, 1), 96, 1));
  },
  yunet: () => {
    const net = new Net(3, 160);
    const pair = (value, out) => net.depthwise(net.conv(value, out, 1, { act: undefined }), 3);
    let value = pair(net.conv(net.x, 16, 3, { stride: 2 }), 16);
    const maps = [];
    for (const out of [64, 64, 64, 64]) {
      value = pair(pair(net.pool(value, 'MaxPool', 2, 2), out), out);
      maps.push(value);
    }
    return net.end(
      ...maps
        .slice(1)
        .flatMap((map) =>
          [1, 1, 4, 10].map((out) => net.depthwise(net.conv(map, out, 1, { act: undefined }), 3, { act: undefined })),
        ),
    );
  },
  'basic-pitch': () => {
    const net = new Net(8, 172);
    const contour = net.conv(net.conv(net.x, 8, 5), 1, 5, { act: 'Sigmoid' });
    const notes = net.conv(net.conv(contour, 32, 7, { stride: 1 }), 1, 7, { act: 'Sigmoid' });
    return net.end(notes, net.conv(net.concat(notes, net.conv(net.x, 32, 5)), 1, 3, { act: 'Sigmoid' }));
  },
  'resnet 18': () => {
    const net = new Net(3, 160);
    let value = net.pool(net.conv(net.x, 64, 7, { stride: 2 }), 'MaxPool', 2, 2);
    for (const [out, stride] of [
      [64, 1],
      [64, 1],
      [128, 2],
      [128, 1],
      [256, 2],
      [256, 1],
      [512, 2],
      [512, 1],
    ]) {
      const inner = net.conv(net.conv(value, out, 3, { stride }), out, 3, { act: undefined });
      const short = stride === 2 ? net.conv(value, out, 1, { stride, act: undefined }) : value;
      value = net.sum(inner, short, 'Relu');
    }
    return net.end(value);
  },
};
