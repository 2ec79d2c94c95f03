import onnxProto from 'onnx-proto';
import { uniformInt } from 'pure-rand/distribution/uniformInt';

/** One to six changes of what the file says, in a file that says it well. */
export function derange(file, random) {
  const below = (end) => uniformInt(random, 0, Math.max(0, end - 1));
  const pick = (list) => list[below(list.length)];
  const model = onnxProto.onnx.ModelProto.decode(file);
  const functions = model.functions.map(({ node }) => ({ node, initializer: [], input: [] }));
  const graphs = [model.graph, ...functions];
  for (const graph of graphs) {
    for (const node of graph.node) for (const one of node.attribute) if (one.g) graphs.push(one.g);
  }
  const kinds = [];
  const changes = {
    input: ({ node }) => {
      const names = [...node.flatMap((one) => [...one.input, ...one.output]), '', 'nowhere'];
      const one = pick(node);
      if (one?.input.length) one.input[below(one.input.length)] = pick(names);
    },
    output: ({ node }) => {
      const one = pick(node);
      if (one?.output.length) one.output[below(one.output.length)] = pick(node.flatMap((other) => other.output));
    },
    operator: ({ node }) => {
      const one = pick(node);
      const types =
        'MatMul Gemm Conv ConvTranspose Gather LSTM GRU Einsum Add Mul Transpose Reshape Identity Cast Squeeze Relu Softmax Clip Split BatchNormalization Constant DequantizeLinear If Loop __proto__'.split(
          ' ',
        );
      if (one) one.opType = pick(types);
    },
    double: ({ node }) => node.length > 0 && node.splice(below(node.length), 0, pick(node)),
    remove: ({ node }) => node.splice(below(node.length), 1),
    turn: ({ node }) => node.reverse(),
    dims: ({ initializer }) => {
      const one = pick(initializer);
      if (!one) return;
      const dims = one.dims.map(Number);
      one.dims = pick([
        dims.toReversed(),
        [dims.reduce((a, b) => a * b, 1)],
        [...dims, 1],
        [1, ...dims],
        [...dims, 0],
        [0, 2 ** 40],
        [2 ** 40, 0],
        [0, 2 ** 31],
        dims.map((dim) => dim + 1),
      ]);
    },
    dtype: ({ initializer }) => {
      const one = pick(initializer);
      if (one) one.dataType = below(24);
    },
    rename: ({ initializer }) => {
      const one = pick(initializer);
      if (one) one.name = pick([...initializer.map((other) => other.name), '', 'x', '__proto__', 'constructor']);
    },
    attributes: ({ node }) => {
      const [one, other] = [pick(node), pick(node)];
      if (one) one.attribute = other.attribute;
    },
    number: ({ node }) => {
      const one = pick(node.flatMap((each) => each.attribute));
      if (one)
        Object.assign(one, { i: pick([-1, 0, 1, 7, 2 ** 40]), ints: pick([[], [0], [-1, 5], [1, 0], one.ints ?? []]) });
    },
    opset: () => {
      for (const one of model.opsetImport) one.version = pick([1, 6, 7, 9, 11, 12, 13, 18, 21, 25, 99]);
    },
    graphInput: ({ input, initializer }) => initializer.length > 0 && input.push({ name: pick(initializer).name }),
    irVersion: () => {
      model.irVersion = pick([1, 3, 4, 8, 13]);
    },
  };
  for (let left = 1 + below(6); left > 0; left--) {
    const kind = pick(Object.keys(changes));
    kinds.push(kind);
    changes[kind](pick(graphs));
  }
  return { bytes: onnxProto.onnx.ModelProto.encode(model).finish(), kinds };
}
