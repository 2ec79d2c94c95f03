// Synthetic models of any size, written in seconds.
//   node benchmarks/models.js matmuls 1024 big.onnx        16 MatMuls of 4096×4096 float32: 1024 MiB
//   node benchmarks/models.js matmuls 8192 huge.onnx       128 of them, in external data (huge.onnx.data)
//   node benchmarks/models.js matmuls 320 bert.onnx 768    142 MatMuls of 768×768, weights as an encoder's
//   node benchmarks/models.js nodes 20000 many.onnx        20,000 small nodes, every second with a weight
import { closeSync, openSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import onnxProto from 'onnx-proto';

const { onnx } = onnxProto;
const FLOAT = 1;
/** Rows and columns of a weight, where nothing else is said. */
const SIDE = 4096;
/** Above this a model goes to external data: ONNX files end at 2 GiB. */
const EMBEDDED = 1536 * 2 ** 20;

/** One weight, nearly normal (a sum of four uniforms), the same in every run. */
export function weight(side) {
  const data = new Float32Array(side * side);
  let state = 1;
  for (let index = 0; index < data.length; index++) {
    let sum = 0;
    for (let one = 0; one < 4; one++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      sum += state;
    }
    // So that what comes out of a MatMul is about as large as what goes in.
    data[index] = (sum / 2 ** 32 - 2) / (37 * Math.sqrt(side / SIDE));
  }
  return new Uint8Array(data.buffer);
}

const value = (name, side) => ({
  name,
  type: { tensorType: { elemType: FLOAT, shape: { dim: [{ dimParam: 'batch' }, { dimValue: side }] } } },
});

function model(graph) {
  return { irVersion: 8, producerName: 'onnx-compress benchmarks', opsetImport: [{ domain: '', version: 17 }], graph };
}

/** Length-delimited field: tag, length, then whatever follows. */
function header(field, byteLength) {
  const bytes = [(field << 3) | 2];
  for (let left = byteLength; ; left = Math.floor(left / 128)) {
    bytes.push(left < 128 ? left : (left % 128) | 128);
    if (left < 128) return Uint8Array.from(bytes);
  }
}

/** The weight of a layer, in two pieces: all begin at another row of one, so that no two are equal. */
function turned(data, side, layer) {
  const first = (layer % side) * 4 * side;
  return [data.subarray(first), data.subarray(0, first)];
}

/** A chain of MatMuls whose weights together have so many MiB. */
export function matmuls(mebibytes, path, side = SIDE) {
  const byteLength = side * side * 4;
  const count = Math.max(1, Math.round((mebibytes * 2 ** 20) / byteLength));
  const external = count * byteLength > EMBEDDED;
  const data = weight(side);
  const node = Array.from({ length: count }, (_, layer) => ({
    opType: 'MatMul',
    name: `matmul_${layer}`,
    input: [layer === 0 ? 'x' : `h${layer}`, `w${layer}`],
    output: [layer === count - 1 ? 'y' : `h${layer + 1}`],
  }));
  const graph = { name: 'matmuls', node, input: [value('x', side)], output: [value('y', side)] };
  const tensor = (layer) => ({ name: `w${layer}`, dims: [side, side], dataType: FLOAT });
  if (external) {
    const location = `${basename(path)}.data`;
    graph.initializer = node.map((_, layer) => ({
      ...tensor(layer),
      dataLocation: 1,
      externalData: Object.entries({ location, offset: layer * byteLength, length: byteLength }).map(([key, one]) => ({
        key,
        value: String(one),
      })),
    }));
    write(path, [onnx.ModelProto.encode(onnx.ModelProto.create(model(graph))).finish()]);
    write(
      `${path}.data`,
      node.flatMap((_, layer) => turned(data, side, layer)),
    );
    return;
  }
  // The weights follow the encoded rest: the fields of a message may stand in any order.
  const fields = node.map((_, layer) => {
    const rest = onnx.TensorProto.encode(onnx.TensorProto.create(tensor(layer))).finish();
    const raw = header(9, byteLength);
    return [header(5, rest.length + raw.length + byteLength), rest, raw, ...turned(data, side, layer)];
  });
  const head = onnx.GraphProto.encode(onnx.GraphProto.create(graph)).finish();
  const length = head.length + fields.flat().reduce((sum, one) => sum + one.length, 0);
  const outside = onnx.ModelProto.encode(onnx.ModelProto.create(model(undefined))).finish();
  write(path, [outside, header(7, length), head, ...fields.flat()]);
}

/** A chain of so many nodes: MatMul with a weight of 8×8, Relu, and so on. */
export function nodes(count, path) {
  const node = [];
  const initializer = [];
  const data = new Uint8Array(Float32Array.from({ length: 64 }, (_, index) => Math.sin(index) / 4).buffer);
  for (let index = 0; index < count; index++) {
    const input = [index === 0 ? 'x' : `h${index}`];
    const output = [index === count - 1 ? 'y' : `h${index + 1}`];
    if (index % 2 === 0) {
      initializer.push({ name: `w${index}`, dims: [8, 8], dataType: FLOAT, rawData: data });
      input.push(`w${index}`);
    }
    node.push({ opType: index % 2 === 0 ? 'MatMul' : 'Relu', name: `node_${index}`, input, output });
  }
  const graph = { name: 'nodes', node, initializer, input: [value('x', 8)], output: [value('y', 8)] };
  write(path, [onnx.ModelProto.encode(onnx.ModelProto.create(model(graph))).finish()]);
}

function write(path, chunks) {
  const file = openSync(path, 'w');
  for (const chunk of chunks)
    for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at, Math.min(chunk.length - at, 16 << 20));
  closeSync(file);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , kind, size, path, side] = process.argv;
  if (kind === 'matmuls') matmuls(Number(size), path, side && Number(side));
  else if (kind === 'nodes') nodes(Number(size), path);
  else throw new Error('usage: node benchmarks/models.js matmuls MiB|nodes COUNT FILE');
}
