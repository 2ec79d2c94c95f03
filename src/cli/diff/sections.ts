import type { Difference } from '../../kernels/difference.ts';
import type {
  FactChange,
  ModelDiff,
  NodeChange,
  NodeFacts,
  TensorFacts,
  WeightChange,
} from '../../passes/diff/index.ts';
import { formatBytes, formatPercent } from '../../passes/size.ts';
import type { Section } from '../markdown.ts';
import type { Column } from '../table.ts';
import { count, decibels } from '../text.ts';

const RIGHT = { right: true } as const;
const SIDES: readonly Column[] = [{ head: 'before' }, { head: 'after' }];

/** What changed, by section; sections without changes are left out. */
export function sectionsOf(found: ModelDiff): Section[] {
  const { header, values, operators, nodes, weights } = found;
  const all: Section[] = [
    { title: 'model', columns: [{ head: 'fact' }, ...SIDES], rows: header.map(factRow) },
    {
      title: 'inputs and outputs',
      columns: [{ head: 'value' }, ...SIDES],
      rows: values.map((one) => [`${one.kind} ${one.name}`, one.before ?? '–', one.after ?? '–']),
    },
    {
      title: 'operators',
      columns: [{ head: 'operator' }, ...SIDES.map((one) => ({ ...one, ...RIGHT }))],
      rows: operators.map((one) => [one.opType, String(one.before), String(one.after)]),
    },
    {
      title: 'weights',
      columns: [
        ...[{ head: 'weight' }, { head: 'what' }],
        ...['SQNR', 'max error'].map((head) => ({ head, ...RIGHT })),
        { head: 'zeros', ...RIGHT, optional: true },
      ],
      rows: weights.changed.map(weightRow),
    },
    {
      title: 'nodes',
      columns: [{ head: 'node' }, { head: 'operator', optional: true }, { head: 'what' }],
      rows: [
        ...nodes.changed.flatMap(changeRows),
        ...nodes.removed.map((one) => nodeRow(one, 'removed')),
        ...nodes.added.map((one) => nodeRow(one, 'added')),
      ],
    },
  ];
  return all.filter((one) => one.rows.length > 0);
}

/** The first line: sizes, and how much did not change. */
export function summaryOf({ byteLength, nodes, weights }: ModelDiff): string {
  const { before = 0, after = 0 } = byteLength;
  const sizes = `${formatBytes(before)} → ${formatBytes(after)} (${formatPercent(after, before)})`;
  return `${sizes}; ${count(nodes.same, 'node')} and ${count(weights.same, 'weight')} are the same`;
}

function factRow({ what, before, after }: FactChange): string[] {
  return [what, before ?? '–', after ?? '–'];
}

function pathOf({ graph, name }: { readonly graph: string; readonly name: string }): string {
  return graph === '' ? name : `${graph}/${name}`;
}

/** A row for each change of a node. If its operator changed, its inputs changed anyway and are left out. */
function changeRows(one: NodeChange): string[][] {
  const operator = one.changes.filter(({ what }) => what === 'operator');
  return (operator.length > 0 ? operator : one.changes).map(({ what, before, after }, index) => {
    const [old, now] = [before ?? '–', after ?? '–'];
    const text = what === 'operator' ? `was ${old}` : `${what}: ${old} → ${now}`;
    return [index === 0 ? pathOf(one) : '', index === 0 ? one.opType : '', text];
  });
}

function nodeRow(one: NodeFacts, what: string): string[] {
  return [pathOf({ graph: one.graph, name: one.name || (one.outputs[0] ?? '') }), one.opType, what];
}

function weightRow(one: WeightChange): string[] {
  const { values } = one;
  const zeros =
    values === undefined
      ? ''
      : `${formatPercent(values.zerosBefore, values.elements)} → ${formatPercent(values.zerosAfter, values.elements)}`;
  return [pathOf(one), whatOf(one), ...(values === undefined ? ['', ''] : figuresOf(values)), zeros];
}

/** `float32 [64, 256] → int8 per channel`. */
function whatOf({ kind, name, before, after, scheme }: WeightChange): string {
  if (before === undefined) return `added, ${after === undefined ? '' : typeOf(after)}`;
  if (after === undefined) return `removed, ${typeOf(before)}`;
  if (kind === 'quantized') {
    const stored = (dtype: string): string =>
      dtype.startsWith('float') || dtype === 'bfloat16' ? dtype : (scheme ?? dtype);
    return `${stored(before.dtype)} → ${stored(after.dtype)}`;
  }
  const renamed = after.name === name ? '' : `now ${after.name}`;
  if (kind === 'renamed') return renamed;
  const type = typeOf(before) === typeOf(after) ? 'values' : `${typeOf(before)} → ${typeOf(after)}`;
  return renamed === '' ? type : `${type}, ${renamed}`;
}

function typeOf({ dtype, dims }: TensorFacts): string {
  return `${dtype} [${dims.join(', ')}]`;
}

/** `41.3 dB` and `0.0021`; elements that are finite in only one of the two are mentioned too. */
function figuresOf({ sqnr, maxAbs, changed, nonFinite }: Difference): [sqnr: string, error: string] {
  if (changed === 0) return ['same', '0'];
  const bad = nonFinite === 0 ? '' : ` (${nonFinite} not finite)`;
  return [decibels(sqnr), `${Number(maxAbs.toPrecision(3))}${bad}`];
}
