// The tables of benchmarks/static.js.

/**
 * The peer's best setting for a model: the highest score, then the highest SQNR, of the files that load; of those
 * smaller than float's, if there is one. Of equals the faster one.
 */
export function bestOf(peer, name) {
  const loaded = peer.results.filter((one) => one.model === name && one.outcome === 'ok');
  const smaller = loaded.filter((one) => one.ofFloat < 1);
  const usable = smaller.length > 0 ? smaller : loaded;
  return usable.toSorted((a, b) => b.score - a.score || (b.sqnr ?? 999) - (a.sqnr ?? 999) || a.ratio - b.ratio)[0];
}

/** Two rows for each model: the peer's best, and ours. */
export function comparison(rows, floats, best) {
  const lines = [
    '| model | quantized by | score (float) | SQNR | size of float | time of float, batch 1 | quantizing | peak memory |',
    '| --- | --- | --: | --: | --: | --: | --: | --: |',
  ];
  for (const row of rows) {
    const { model } = row;
    const peer = best[model];
    const full = row.kind === 'accuracy' ? ` (${percent(floats[model].score)})` : '';
    if (peer) lines.push(`| ${model}, ${row.kind} | onnxruntime: ${settingOf(peer)} | ${cells(peer, full)} |`);
    else lines.push(`| ${model}, ${row.kind} | onnxruntime | no file that loads and is smaller | | | | | |`);
    lines.push(`| | onnx-compress | ${row.outcome === 'ok' ? cells(row, full) : `${row.message} | | | | |`} |`);
  }
  return lines.join('\n');
}

const cells = (row, full) =>
  [
    percent(row.score) + full,
    decibel(row.sqnr),
    percent(row.ofFloat),
    `${row.ratio.toFixed(2)}×`,
    `${row.seconds.toFixed(1)} s`,
    row.peakBytes === null ? '–' : `${(row.peakBytes / 1e6).toFixed(0)} MB`,
  ].join(' | ');

function settingOf({ calibration, perChannel, preprocess, opset, opTypes }) {
  const words = [calibration.toLowerCase(), perChannel ? 'per channel' : 'per tensor'];
  if (preprocess !== null) words.push(preprocess === 'all' ? 'quant_pre_process' : `quant_pre_process (${preprocess})`);
  if (opset !== null) words.push(`opset ${opset}`);
  if (opTypes !== null) words.push(`only ${opTypes}`);
  return words.join(', ');
}

/** One row for each model, one column for each observer. */
export function observerTable(rows, floats, observers) {
  const lines = [`| model | float | ${observers.join(' | ')} |`, `| --- |${' --: |'.repeat(observers.length + 1)}`];
  for (const model of new Set(rows.map((row) => row.model))) {
    const own = rows.filter((row) => row.model === model);
    const cell = observers.map((observer) => {
      const row = own.find((one) => one.observer === observer);
      return row.outcome === 'ok' ? `${percent(row.score)}, ${decibel(row.sqnr)}, ${staticOf(row)}` : row.message;
    });
    lines.push(`| ${model}, ${own[0].kind} | ${percent(floats[model].score)} | ${cell.join(' | ')} |`);
  }
  return lines.join('\n');
}

/** How many weights run with quantized activations: the better of two ranges may also quantize more. */
const staticOf = ({ forms }) =>
  Object.entries(forms).reduce((sum, [form, count]) => sum + (form.endsWith('static') ? count : 0), 0);

const COLUMNS = ['score', 'sqnr', 'bytes', 'ofFloat', 'floatMs', 'ms', 'ratio', 'seconds', 'peakBytes'];

/** The rows of the tables, for a spreadsheet. */
export function csv(rows, best) {
  const line = (model, by, setting, row) =>
    [model, by, `"${setting}"`, ...COLUMNS.map((key) => rounded(row[key]) ?? '')].join();
  const lines = [['model', 'by', 'setting', ...COLUMNS].join()];
  for (const row of rows) {
    const peer = best[row.model];
    if (peer) lines.push(line(row.model, 'onnxruntime', settingOf(peer), peer));
    lines.push(line(row.model, 'onnx-compress', row.observer ?? 'default', row));
  }
  return `${lines.join('\n')}\n`;
}

/** The same with numbers of five digits; whole numbers stay. */
export function rounded(value) {
  if (typeof value === 'number') return Number.isInteger(value) ? value : Number(value.toPrecision(5));
  if (Array.isArray(value)) return value.map(rounded);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, rounded(one)]));
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const decibel = (sqnr) => (sqnr === null ? '∞' : `${sqnr.toFixed(1)} dB`);
