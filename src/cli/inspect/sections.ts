import type { Plan, Recipe, Structure } from '../../passes/inspect/index.ts';
import { formatBytes, formatPercent } from '../../passes/size.ts';
import type { Section } from '../markdown.ts';
import { shape } from './lines.ts';

const RIGHT = { right: true } as const;

/** The structure of a model, by section; sections without rows are left out. */
export function structureSections(found: Structure): Section[] {
  return [operators(found), types(found), weights(found)].filter((one) => one.rows.length > 0);
}

function operators(found: Structure): Section {
  const rows = found.operators.map((one) => [
    one.opType,
    String(one.nodes),
    one.parameters === 0 ? '' : String(one.parameters),
    one.parameters === 0 ? '' : formatPercent(one.parameters, found.parameters),
  ]);
  const columns = [{ head: 'operator' }, ...['nodes', 'parameters', 'share'].map((head) => ({ head, ...RIGHT }))];
  return { title: 'operators', columns, rows };
}

function types(found: Structure): Section {
  const all = found.dtypes.reduce((sum, one) => sum + one.byteLength, 0);
  const rows = found.dtypes.map((one) => [
    one.dtype,
    String(one.tensors),
    String(one.elements),
    formatBytes(one.byteLength),
    formatPercent(one.byteLength, all),
  ]);
  const heads = ['tensors', 'elements', 'bytes', 'share'].map((head) => ({ head, ...RIGHT }));
  return { title: 'types', columns: [{ head: 'type' }, ...heads], rows };
}

function weights(found: Structure): Section {
  const list = found.weights.filter((one) => one.role === 'weight');
  const packed = list.some((one) => one.packed !== undefined);
  const stored = list.some((one) => one.form !== undefined);
  const schemes = list.some((one) => one.scheme !== undefined);
  const all = found.weights.reduce((sum, one) => sum + one.byteLength, 0);
  const rows = list.map((one) => [
    one.name,
    one.opTypes.join(', '),
    shape(one),
    formatBytes(one.byteLength),
    formatPercent(one.byteLength, all),
    ...(packed ? [one.packed ?? ''] : []),
    ...(schemes ? [one.scheme === undefined ? '' : `${one.elements} ${one.scheme.name}`] : []),
    ...(stored ? [one.form ?? ''] : []),
  ]);
  const columns = [
    ...[{ head: 'weight' }, { head: 'operator' }, { head: 'shape' }],
    ...[
      { head: 'bytes', ...RIGHT },
      { head: 'share', ...RIGHT, optional: true },
    ],
    ...(packed ? [{ head: 'packed' }] : []),
    ...(schemes ? [{ head: 'numbers', optional: true }] : []),
    ...(stored ? [{ head: 'stored for', optional: true }] : []),
  ];
  return { title: 'weights, the largest first', columns, rows };
}

const RECIPES: Readonly<Record<Recipe, string>> = {
  int8: 'quantize --int8',
  'int8 weights only': 'quantize --weights-only',
  int4: 'quantize --int4',
  float16: 'quantize --float16',
  pruned: 'prune --l1 60% | pack',
  'pruned int8': 'prune --l1 60% | quantize --store bitmask',
};

/** How large the model would become. */
export function planSection(plan: Plan): Section {
  const rows = plan.predictions.map((one) => [
    RECIPES[one.recipe],
    one.weights === 0 ? 'nothing to change' : formatBytes(one.byteLength),
    one.weights === 0 ? '' : formatPercent(one.byteLength, plan.byteLength),
  ]);
  const columns = [{ head: 'made by' }, { head: 'size', ...RIGHT }, { head: 'of now', ...RIGHT }];
  return { title: 'predicted sizes', columns, rows };
}
