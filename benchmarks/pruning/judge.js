// How good a model is on its test data: the share of right classes, or the perplexity of the characters that follow.
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { readNpz } from '../npz.js';

/** Rows of text that are run at once. */
const ROWS = 16;

/** @returns {Promise<number>} */
export async function judge({ kind, test }, path) {
  const session = await InferenceSession.create(path, { logSeverityLevel: 3 });
  try {
    return kind === 'accuracy' ? await accuracy(session, test) : await perplexity(session, test);
  } finally {
    await session.release();
  }
}

async function accuracy(session, test) {
  const { __labels__: labels, ...inputs } = readNpz(test);
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, { dims, data }]) => [
      name,
      new Tensor('float32', Float32Array.from(data), dims),
    ]),
  );
  const { data, dims } = (await session.run(feeds))[session.outputNames[0]];
  const [rows, classes] = dims;
  let right = 0;
  for (let row = 0; row < rows; row++) {
    const scores = data.subarray(row * classes, (row + 1) * classes);
    if (scores.indexOf(Math.max(...scores)) === Number(labels.data[row])) right++;
  }
  return right / rows;
}

/** `exp` of the mean of `−ln p` over the next characters. */
async function perplexity(session, test) {
  const { tokens } = readNpz(test);
  const [rows, length] = tokens.dims;
  let lost = 0;
  for (let start = 0; start < rows; start += ROWS) {
    const count = Math.min(ROWS, rows - start);
    const text = Array.from({ length: count }, (_, row) =>
      tokens.data.slice((start + row) * length, (start + row + 1) * length),
    );
    const fed = BigInt64Array.from(text.flatMap((row) => [...row.subarray(0, length - 1)]));
    const { logits } = await session.run({ tokens: new Tensor('int64', fed, [count, length - 1]) });
    const symbols = logits.dims[2];
    for (let row = 0; row < count; row++) {
      for (let at = 0; at < length - 1; at++) {
        const base = (row * (length - 1) + at) * symbols;
        const scores = logits.data.subarray(base, base + symbols);
        const most = scores.reduce((a, b) => Math.max(a, b));
        const sum = scores.reduce((total, one) => total + Math.exp(one - most), 0);
        lost += Math.log(sum) + most - scores[Number(text[row][at + 1])];
      }
    }
  }
  return Math.exp(lost / (rows * (length - 1)));
}
