import type { Inspection, MeasuredWeight, WeightFacts } from '../../passes/inspect/index.ts';
import { printable } from '../text.ts';

type Row = WeightFacts & Partial<Pick<MeasuredWeight, 'statistics'>>;

/** Columns for every weight, named as in the JSON. */
const FACTS: Readonly<Record<string, (one: Row) => string | number | undefined>> = {
  name: (one) => one.name,
  node: (one) => one.node,
  opTypes: (one) => one.opTypes.join(' '),
  dtype: (one) => one.dtype,
  dims: (one) => one.dims.join('x'),
  elements: (one) => one.elements,
  byteLength: (one) => one.byteLength,
  form: (one) => one.form,
  scheme: (one) => one.scheme?.name,
  packed: (one) => one.packed,
};

/** Columns if the weights were read. */
const STATISTICS = [
  'zeros',
  'nans',
  'infinities',
  'min',
  'max',
  'mean',
  'std',
  'channelSpread',
  'outlierRatio',
] as const;

/**
 * Every weight as a line of CSV below a header line, the largest first.
 * @param input - the name of the model, in the first column: lines of several models can be combined
 */
export function inspectionCsv(input: string, { weights, measured }: Inspection): string {
  const rows: readonly Row[] = measured ?? weights.filter((one) => one.role === 'weight');
  const names = ['input', ...Object.keys(FACTS), ...(measured === undefined ? [] : STATISTICS)];
  const lines = rows.map((one) => [
    input,
    ...Object.values(FACTS).map((fact) => fact(one)),
    ...(one.statistics === undefined ? [] : STATISTICS.map((key) => one.statistics?.[key])),
  ]);
  return [names, ...lines].map((line) => `${line.map(cell).join(',')}\n`).join('');
}

/** A cell. Names come from the file, so one that a spreadsheet would take for a formula gets a leading apostrophe. */
function cell(value: string | number | undefined): string {
  if (typeof value !== 'string') return String(value ?? '');
  const text = printable(value).replace(/^[=+\-@]/, "'$&");
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
