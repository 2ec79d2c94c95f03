// Square layers with data, made up and the same in every run.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import onnxProto from 'onnx-proto';

/** Vectors of data. */
export const VECTORS = 4096;

/** Nearly normal numbers (sums of four uniform ones), the same in every run. */
function normal(count, seed, scale) {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    let sum = 0;
    for (let one = 0; one < 4; one++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      sum += state;
    }
    return (sum / 2 ** 32 - 2) * scale;
  });
}

/** `count` layers of `side × side`, with Relu between them. @returns the paths of the model and of its data */
export function writeLayers(side, count, folder) {
  const { onnx } = onnxProto;
  const value = (name) => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'n' }, { dimValue: side }] } } },
  });
  const node = [];
  const initializer = [];
  for (let layer = 0; layer < count; layer++) {
    const last = layer + 1 === count;
    const input = layer === 0 ? 'x' : `r${layer - 1}`;
    node.push({ opType: 'MatMul', input: [input, `w${layer}`], output: [last ? 'y' : `p${layer}`] });
    if (!last) node.push({ opType: 'Relu', input: [`p${layer}`], output: [`r${layer}`] });
    const rawData = new Uint8Array(normal(side * side, 1 + 2 * layer, Math.SQRT2 / Math.sqrt(side)).buffer);
    initializer.push({ name: `w${layer}`, dims: [side, side], dataType: 1, rawData });
  }
  const graph = { name: 'layers', node, initializer, input: [value('x')], output: [value('y')] };
  const opsetImport = [{ domain: '', version: 17 }];
  const model = join(folder, 'layers.onnx');
  const bytes = onnx.ModelProto.encode(onnx.ModelProto.create({ irVersion: 8, opsetImport, graph })).finish();
  writeFileSync(model, bytes);
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${VECTORS}, ${side}), }\n`;
  const head = Buffer.from(`\x93NUMPY\x01\x00\0\0${header}`, 'latin1');
  head.writeUInt16LE(header.length, 8);
  const x = Buffer.concat([head, new Uint8Array(normal(VECTORS * side, 2, 1).buffer)]);
  const data = join(folder, 'layers.npz');
  writeFileSync(data, zipSync({ 'x.npy': x }, { level: 0 }));
  return { model, data };
}
