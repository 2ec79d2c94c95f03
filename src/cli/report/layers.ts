import type { Model } from '../../ir/model.ts';
import { namesOf } from '../../layers/constant.ts';
import type { Change } from '../../layers/skip.ts';
import { diff, type WeightChange } from '../../passes/diff/index.ts';
import type { PassReport } from '../../passes/pass.ts';
import type { Progress } from '../progress.ts';
import type { ReportLayer } from './data.ts';

/** Bins of a histogram on the page. */
const BINS = 64;
/** Number of elements to compare. In a sample of this size, a bin with a thousandth of the elements has about 260. */
const SAMPLE: number = 1 << 18;

/**
 * A row for each weight that the passes changed, in their order; several changes of one weight are one row.
 * @param before - the model before, unpacked and folded as in the run
 * @param after - the written model, unpacked
 */
export async function layerRows(
  before: Model,
  after: Model,
  passes: readonly PassReport[],
  onProgress: Progress,
): Promise<readonly ReportLayer[]> {
  const { weights } = await diff(before, after, { bins: BINS, sample: SAMPLE, onProgress });
  const found = new Map<string, WeightChange[]>();
  for (const one of weights.changed) found.set(one.name, [...(found.get(one.name) ?? []), one]);
  const names = namesNow(before);
  const integers = new Map(
    weights.changed.flatMap((one) =>
      one.kind === 'quantized' && one.after !== undefined ? [[one.after.name, one.name] as const] : [],
    ),
  );
  return [...gathered(passes, integers)].map(([, { weight, index, changes }]) => {
    const list = found.get(weight) ?? found.get(names.get(weight) ?? '');
    return rowOf(changes, list?.[index]);
  });
}

/** Current names of weights that had another name before the model was folded. */
function namesNow(model: Model): Map<string, string> {
  const names = new Map<string, string>();
  for (const graph of model.graphs()) {
    for (const tensor of graph.initializers.values()) {
      for (const name of namesOf({ tensor, graph, node: undefined })) names.set(name, tensor.name);
    }
  }
  return names;
}

/** What happened to one weight. */
interface Gathered {
  readonly weight: string;
  /** Index among the weights of this name: bodies may have one each. */
  readonly index: number;
  readonly changes: Change[];
}

/**
 * @param integers - weights that are stored as integers, by the name of the integers
 */
function gathered(passes: readonly PassReport[], integers: ReadonlyMap<string, string>): Map<string, Gathered> {
  const rows = new Map<string, Gathered>();
  for (const { changes } of passes) {
    const seen = new Map<string, number>();
    for (const change of changes) {
      // Integers that represent a weight of an earlier pass are that weight.
      const plain = integers.get(change.weight) ?? change.weight;
      const weight = rows.has(`0 ${change.weight}`) || !rows.has(`0 ${plain}`) ? change.weight : plain;
      const index = seen.get(weight) ?? 0;
      seen.set(weight, index + 1);
      const key = `${index} ${weight}`;
      const there = rows.get(key);
      if (there === undefined) rows.set(key, { weight, index, changes: [change] });
      else there.changes.push(change);
    }
  }
  return rows;
}

function rowOf(changes: readonly Change[], compared: WeightChange | undefined): ReportLayer {
  const [first, last] = [changes[0], changes.at(-1)] as [Change, Change];
  const values = compared?.values;
  const { elements } = last;
  const whole = values?.elements === elements;
  // A pass counts all elements, a sample does not.
  const share = values && shareOf(values.zerosAfter, values.elements);
  const counted = last.zeros === undefined ? undefined : shareOf(last.zeros, elements);
  const reported = changes.length === 1 ? last.sqnr : undefined;
  const sqnr = whole ? values.sqnr : (reported ?? values?.sqnr);
  const forms = changes.map(({ form, zeros, instead }) => {
    const now = form ?? (zeros === undefined ? 'changed' : 'pruned');
    return instead === undefined ? now : `${now} (${instead.detail})`;
  });
  return {
    weight: first.weight,
    opType: first.opType,
    nodes: first.nodes,
    shape: `${first.dtype} ${first.dims.join('×')}`.trim(),
    elements,
    compared: values?.elements ?? 0,
    form: [...new Set(forms)].join(', '),
    before: first.before,
    after: last.after,
    sparsity: (whole ? share : (counted ?? share)) ?? null,
    sqnr: sqnr === undefined ? null : plainDecibels(sqnr),
    histogram: compared?.histogram ?? null,
  };
}

/** Undefined for a tensor without elements. */
function shareOf(zeros: number, elements: number): number | undefined {
  return elements === 0 ? undefined : zeros / elements;
}

/** Decibels as JSON can hold them. */
export function plainDecibels(sqnr: number): number | 'Infinity' | null {
  if (sqnr === Number.POSITIVE_INFINITY) return 'Infinity';
  return Number.isFinite(sqnr) ? sqnr : null;
}
