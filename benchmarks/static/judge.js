// How close a small model's outputs are to float's, and how fast it is. benchmarks/peer/static_peer.py judges in the
// same way.
import { InferenceSession } from 'onnxruntime-node';
import { feed } from './data.js';

const RUNS = 21;
const WARMUP = 5;

/** What `score` is, for each kind of model. */
export const SCORES = {
  classes: 'accuracy',
  text: 'lines read as float reads them',
  mask: 'IoU of the mask',
  direction: 'argmax as float',
};

export function open(path, threads) {
  return InferenceSession.create(path, { intraOpNumThreads: threads, logSeverityLevel: 3 });
}

/** The first output of all rows; the digits in one batch, PP-OCR row by row, as it is used. */
export async function outputsOf(session, model) {
  const [name] = session.outputNames;
  const count = model.rows.dims[0];
  const step = model.kind === 'classes' ? count : 1;
  const rows = [];
  for (let start = 0; start < count; start += step) {
    const { [name]: output } = await session.run(feed(model, start, start + step));
    const length = output.data.length / step;
    for (let row = 0; row < step; row++) rows.push(output.data.subarray(row * length, (row + 1) * length));
    rows.classes = output.dims.at(-1);
  }
  return rows;
}

/**
 * `score`, 0 … 1, and `sqnr` in dB, `10·log10(Σ a² / Σ (a − b)²)` over all rows together; null where they are equal.
 */
export function judge(model, expected, seen) {
  return { score: SCORERS[model.kind](expected, seen, model.labels), sqnr: sqnr(expected, seen) };
}

const SCORERS = {
  classes: (_, seen, labels) => share(seen, (row, index) => argmax(row) === Number(labels[index])),
  direction: (expected, seen) => share(seen, (row, index) => argmax(row) === argmax(expected[index])),
  text: (expected, seen) =>
    share(seen, (row, index) => greedy(row, seen.classes) === greedy(expected[index], expected.classes)),
  mask: (expected, seen) => {
    let [both, either] = [0, 0];
    for (const [index, row] of expected.entries()) {
      for (let i = 0; i < row.length; i++) {
        const [a, b] = [row[i] > 0.3, seen[index][i] > 0.3];
        if (a && b) both++;
        if (a || b) either++;
      }
    }
    return both / either;
  },
};

const share = (rows, right) => rows.filter(right).length / rows.length;
const argmax = (row) => row.reduce((best, value, index) => (value > row[best] ? index : best), 0);

/** CTC: the best class of each step, repeats collapsed, blanks (0) dropped. */
function greedy(row, classes) {
  const steps = Array.from({ length: row.length / classes }, (_, step) =>
    argmax(row.subarray(step * classes, (step + 1) * classes)),
  );
  return steps.filter((best, step) => best !== 0 && best !== steps[step - 1]).join();
}

function sqnr(expected, seen) {
  let [signal, noise] = [0, 0];
  for (const [index, row] of expected.entries()) {
    for (let i = 0; i < row.length; i++) {
      signal += row[i] ** 2;
      noise += (row[i] - seen[index][i]) ** 2;
    }
  }
  return noise > 0 ? 10 * Math.log10(signal / noise) : null;
}

/** Alternating runs of one row: medians in ms, median and quartiles of small/float. */
export async function timed(float, small, model) {
  const feeds = feed(model, 0, 1);
  const times = [[], []];
  for (let run = 0; run < RUNS + WARMUP; run++) {
    for (const [index, session] of [float, small].entries()) {
      const start = performance.now();
      await session.run(feeds);
      if (run >= WARMUP) times[index].push(performance.now() - start);
    }
  }
  const ratios = times[0].map((time, run) => times[1][run] / time);
  const [floatMs, ms] = times.map((list) => quantile(list, 0.5));
  const [ratioLow, ratio, ratioHigh] = [0.25, 0.5, 0.75].map((part) => quantile(ratios, part));
  return { floatMs, ms, ratio, ratioLow, ratioHigh };
}

function quantile(list, part) {
  return list.toSorted((a, b) => a - b)[Math.round(part * (list.length - 1))];
}
