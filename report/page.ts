/** The report of `compress … --report`: what is in the element `data`, as tables and charts. Loads nothing. */
import type { ReportData, ReportLayer, Verdict } from '../src/cli/report/data.ts';
import { byteBars, lossBars, roleBars } from './bars.ts';
import { histogramChart } from './charts.ts';
import { bytes, count, decibels, element, lossOf, lossText, percent } from './dom.ts';
import { files } from './files.ts';
import { type Column, sortable } from './table.ts';

/** A name with what stands for it: a filled square for before, the outline of one for after. */
function key(name: 'before' | 'after'): HTMLElement {
  return element('span', { class: `key ${name}` }, name);
}

function sizes({ input, output }: ReportData): HTMLElement {
  const largest = Math.max(input.bytes, output.bytes, 1);
  const bar = (count: number, of: string): HTMLElement =>
    element('div', { class: 'bar', style: `width: ${(100 * count) / largest}%; background: var(--${of})` });
  const share = input.bytes === 0 ? '' : ` (${percent(output.bytes / input.bytes)})`;
  return element(
    'div',
    { class: 'sizes' },
    ...[element('span', { class: 'soft' }, 'before'), bar(input.bytes, 'before')],
    element('span', { class: 'number' }, bytes(input.bytes)),
    ...[element('span', { class: 'soft' }, 'after'), bar(output.bytes, 'after')],
    element('span', { class: 'number' }, `${bytes(output.bytes)}${share}`),
  );
}

function facts({ command, versions }: ReportData): HTMLElement {
  const rows = [
    ['Command', element('code', {}, command)] as const,
    ...versions.map(({ name, version }) => [name, version] as const),
  ];
  return element(
    'dl',
    { class: 'facts' },
    ...rows.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]),
  );
}

/** The result, and how it was checked. */
function summary({ summary, layers, check }: ReportData): HTMLElement[] {
  const result = `${summary}; ${layers.length} ${layers.length === 1 ? 'weight' : 'weights'} changed`;
  const parts = [element('p', { class: 'summary' }, withUnits(result))];
  if (check !== null) {
    const { data, outputs, ratio } = check;
    const shown = outputs.slice(0, OUTPUTS).map(({ name, sqnr }) => `${name} ${decibels(sqnr)}`);
    const more = outputs.length > OUTPUTS ? [`${outputs.length - OUTPUTS} more outputs`] : [];
    const figures = [...shown, ...more, `${ratio.toFixed(2)} of the time of a run`].join(', ');
    parts.push(element('p', { class: 'soft' }, withUnits(`Both models were run (${data}): ${figures}.`)));
  }
  return parts;
}

/** Most outputs in a sentence. */
const OUTPUTS = 8;

/** A text in which numbers stay on the line of their units. */
function withUnits(text: string): string {
  return text.replaceAll(/(?<=\d) (?=(?:%|[kMGT]?B|dB)(?!\w))| (?=×)/g, '\u00a0');
}

/** All of the page as a file. */
function save(data: ReportData): HTMLElement {
  const href = `data:application/json;charset=utf-8,${encodeURIComponent(JSON.stringify(data, null, 2))}`;
  const link = { class: 'save', href, download: 'report.json' };
  return element('p', {}, element('a', link, 'Save as JSON'));
}

/** A sentence about a number of weights of a type. */
function weights(count: number, type: string, predicate: string): string[] {
  if (count === 0) return [];
  return [`${count} ${type} ${count === 1 ? 'weight is' : 'weights are'} ${predicate}.`];
}

/** What happens to the weights when the model is loaded and run. */
function loaded({ unfused, madeFloat, halves }: Verdict & { kind: 'asked' }, { output }: ReportData): string {
  const small = 'small in the file, not in memory, and as fast as before';
  const facts = [
    ...weights(unfused.length, 'integer', 'converted to float at every run, which can be many times slower'),
    ...weights(madeFloat.length, 'integer', `converted to float once, when the model is loaded: ${small}`),
    ...weights(halves, '16-bit float', `converted to float32 once, when the model is loaded: ${small}`),
  ];
  if (facts.length > 0) return facts.join(' ');
  return output.roles.some(({ role }) => /^weights in u?int/.test(role))
    ? 'No integer weight is converted to float, neither at every run nor when the model is loaded.'
    : 'The model has no integer weights.';
}

function verdict(data: ReportData): HTMLElement[] {
  const { verdict: found } = data;
  if (found.kind === 'not_asked') return [element('p', { class: 'verdict unknown' }, found.why)];
  const { kernels, unfused } = found;
  const sentence = loaded(found, data);
  const counts = kernels.map(({ op, nodes }) => `${op} ×${nodes}`).join(', ');
  const box = element('p', { class: unfused.length === 0 ? 'verdict' : 'verdict bad' }, sentence);
  const rows: Column<(typeof unfused)[number]>[] = [
    { head: 'weight', text: (row) => row.weight, order: (row) => row.weight },
    { head: 'node', text: (row) => `${row.opType} ${row.node}`, order: (row) => row.node },
    { head: 'why', text: (row) => row.why, order: (row) => row.why },
  ];
  const list = unfused.length === 0 ? [] : [sortable(rows, unfused)];
  return [box, ...list, element('p', { class: 'soft' }, 'ONNX Runtime runs: ', element('code', {}, counts))];
}

const finite = (value: number | 'Infinity' | null): number | null => (value === 'Infinity' ? Number.MAX_VALUE : value);

const LAYERS: readonly Column<ReportLayer>[] = [
  { head: 'weight', text: (row) => row.weight, order: (row) => row.weight },
  { head: 'operator', text: (row) => row.opType, order: (row) => row.opType },
  { head: 'shape', text: (row) => row.shape, order: (row) => row.shape },
  { head: 'before', right: true, down: true, text: (row) => bytes(row.before), order: (row) => row.before },
  { head: 'after', right: true, down: true, text: (row) => bytes(row.after), order: (row) => row.after },
  {
    head: 'zeros',
    right: true,
    down: true,
    text: (row) => (row.sparsity === null ? '–' : percent(row.sparsity)),
    order: (row) => row.sparsity,
  },
  { head: 'SQNR', right: true, text: (row) => decibels(row.sqnr), order: (row) => finite(row.sqnr) },
  { head: 'now', text: (row) => row.form, order: (row) => row.form },
];

function layers({ layers: rows, sensitivity }: ReportData): HTMLElement[] {
  if (rows.length === 0) return [element('p', {}, 'No weight was changed.')];
  const detail = (row: ReportLayer): readonly Node[] => {
    const names = row.nodes.length === 0 ? '' : `read by ${row.nodes.join(', ')}`;
    const about = element('p', { class: 'soft' }, element('bdi', {}, names));
    if (row.histogram === null) {
      return [about, element('p', { class: 'soft' }, 'Its elements before and after were not compared.')];
    }
    const what = element('span', { class: 'soft' }, `elements by value${ofHowMany(row)}`);
    const keys = element('p', {}, key('before'), key('after'), what);
    return [about, keys, histogramChart(row.histogram, row.weight)];
  };
  const sampled = rows.filter(({ elements, compared }) => compared > 0 && compared < elements).length;
  const which = sampled === 1 ? 'one large weight' : `${sampled} large weights`;
  const text = `Histograms of ${which}, and figures that no pass has counted, are from a sample spread over the weight.`;
  const said = sampled === 0 ? [] : [element('p', { class: 'soft' }, text)];
  return [...said, sortable([...LAYERS, ...alone(sensitivity)], rows, { by: 'before', detail })];
}

/** Says so where the elements are a sample. */
function ofHowMany({ elements, compared }: ReportLayer): string {
  return compared === elements ? '' : `, from ${count(compared)} of ${count(elements)} values`;
}

/** A column of what each layer alone does to the outputs, where that was measured. */
function alone(sensitivity: ReportData['sensitivity']): Column<ReportLayer>[] {
  if (sensitivity?.kind !== 'measured') return [];
  const found = new Map(sensitivity.layers.map(({ weight, sqnr }) => [weight, sqnr]));
  const of = ({ weight }: ReportLayer): number | 'Infinity' | null => found.get(weight) ?? null;
  const text = (row: ReportLayer): string => {
    const sqnr = of(row);
    return sqnr === null ? '–' : lossText(sqnr);
  };
  const order = (row: ReportLayer): number | null => {
    const sqnr = of(row);
    return sqnr === null ? null : lossOf(sqnr);
  };
  return [{ head: 'output loss', right: true, down: true, text, order }];
}

/** A note whose options are not broken at their dashes. */
function withOptions(note: string): (Node | string)[] {
  const parts = note.split(/(--[a-z][\w-]*(?: \d\S*)?)/);
  return parts.map((part, index) => (index % 2 === 0 ? part : element('span', { class: 'whole' }, part)));
}

function left(data: ReportData): HTMLElement[] {
  const ofPasses = data.passes.flatMap(({ pass, notes }) => notes.map((note) => `${pass}: ${note}`));
  const notes = [...data.notes, ...ofPasses].map((note) => element('li', {}, ...withOptions(note)));
  const skips = data.passes.flatMap(({ pass, skips }) => skips.map((skip) => ({ ...skip, pass })));
  const columns: Column<(typeof skips)[number]>[] = [
    { head: 'weight', text: (row) => row.weight, order: (row) => row.weight },
    { head: 'node', text: (row) => `${row.opType} ${row.node}`, order: (row) => row.node },
    { head: 'elements', right: true, down: true, text: (row) => count(row.elements), order: (row) => row.elements },
    { head: 'by', text: (row) => row.pass, order: (row) => row.pass },
    { head: 'why', text: (row) => row.detail, order: (row) => row.reason },
  ];
  return [
    ...(skips.length === 0 ? [] : [element('h2', {}, 'Left unchanged'), sortable(columns, skips)]),
    ...(notes.length === 0 ? [] : [element('h2', {}, 'Notes'), element('ul', {}, ...notes)]),
  ];
}

function sensitivityOf(found: ReportData['sensitivity']): HTMLElement[] {
  if (found === null) return [];
  const head = element('h2', {}, 'Sensitivity');
  if (found.kind === 'not_measured') return [head, element('p', { class: 'soft' }, `Not measured: ${found.why}.`)];
  const { layers, of } = found;
  const which = of > layers.length ? ` The ${layers.length} largest of ${of} layers.` : '';
  const text = `Noise in the outputs, in percent of the signal, when only one layer is changed; the longest bar is the largest loss. Data: ${found.data}.${which}`;
  return [head, element('p', { class: 'soft' }, text), ...lossBars(layers)];
}

/** What a path leads to, without the folders. */
function baseName(path: string): string {
  return path.split('/').at(-1) || path;
}

function page(data: ReportData): HTMLElement[] {
  return [
    element(
      'h1',
      {},
      element('bdi', {}, baseName(data.input.name)),
      ' → ',
      element('bdi', {}, baseName(data.output.name)),
    ),
    ...summary(data),
    sizes(data),
    save(data),
    element('h2', {}, 'Where the bytes are'),
    ...byteBars(data),
    element('h2', {}, 'What the bytes are for'),
    ...roleBars(data),
    element('h2', {}, 'What ONNX Runtime makes of it'),
    ...verdict(data),
    element('h2', {}, 'Weights'),
    ...layers(data),
    ...sensitivityOf(data.sensitivity),
    ...left(data),
    element('h2', {}, 'Files'),
    ...files(data),
    element('h2', {}, 'How it was made'),
    facts(data),
  ];
}

const data = JSON.parse(document.getElementById('data')?.textContent ?? '') as ReportData;
document.title = `${baseName(data.input.name)} → ${baseName(data.output.name)}: onnx-compress`;
document.getElementById('report')?.replaceChildren(...page(data));
