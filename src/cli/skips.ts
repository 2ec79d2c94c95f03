import type { Change, Skip, SkipReason } from '../layers/skip.ts';
import { formatBytes } from '../passes/size.ts';
import { count, printable } from './text.ts';

/** Number of weights named per reason in a short list. */
const NAMED = 3;

const REASONS: Record<SkipReason, string> = {
  excluded_by_user: 'excluded by --op-types, --include or --exclude',
  not_float: 'not float',
  already_quantized: 'already quantized',
  below_min_elements: 'too small',
  among_smallest: 'among the smallest, together 1 % of the model: 8 bits would save nothing',
  little_gain: '8 bits would save little and cost much of the signal',
  before_log: 'a logarithm follows its product',
  rotary: 'rotary position tables',
  no_product: 'its rows enter no matrix product',
  amount_exceeds_size: 'fewer weights than the amount',
  no_such_axis: 'it does not have the requested axis',
  group_exceeds_size: 'fewer inputs than a group',
  not_in_file: 'not in the given file',
  non_finite: 'NaN or infinity among the weights',
  out_of_range: 'values exceed the range of the type',
  too_small: 'values too small for the precision of the type',
  graph_input: 'a graph input, not a constant',
  low_sqnr: 'an activation would lose too much in 8 bits',
  not_reached: 'its activations cannot be observed',
  no_importance: 'data cannot show its importance',
  not_calibrated: 'an activation has no calibrated range',
  unfused_island: 'integers would not be faster there',
  unsupported_op: 'no 8-bit form for this operator',
  unpruned_op: 'weights of this operator are not pruned',
  unknown_codes: 'no float form is known',
  unsupported_rank: 'this rank is not supported',
  unknown_rank: 'the rank of the input is unknown',
  mixed_dtype: 'float64 cannot share one threshold with smaller floats',
  constant_result: 'a product of constants, which ONNX Runtime computes once',
  in_function: 'inside a local function',
  sparse: 'stored as a sparse tensor',
  no_gain: 'it would not become smaller',
  too_large: 'larger than the 1 GiB that ONNX Runtime unpacks',
  fixed_channels: 'its channels belong to a graph input or output',
  pinned_channels: 'an operator fixes the number of its channels',
  too_few_channels: 'no channel to remove at this amount and rounding',
  used_in_training: 'training_info refers to it by name',
  opset_too_old: 'the opset is too old',
};

/** How much to print about each skipped weight: nothing, the facts of the largest, or those of all. */
export type Detail = 'none' | 'some' | 'all';

/**
 * What was skipped: one line per reason with the number of weights and bytes, then the weights and their facts as
 * requested. Lines are not wrapped; names are safe for a terminal.
 * @param mark - formats the first word of a reason
 */
export function skipLines(skips: readonly Skip[], detail: Detail, mark: (word: string) => string): string[] {
  return reasonLines(skips, detail, mark('left'));
}

/** The same for weights that were changed, but not to the best form, or not for all nodes that read them. */
export function insteadLines(changes: readonly Change[], detail: Detail): string[] {
  const skips = (kept: boolean): Skip[] =>
    changes.flatMap(({ instead, weight, opType, elements, before: bytes, nodes: [node = ''] }) =>
      instead?.kept === kept ? [{ ...instead, weight, opType, elements, bytes, node }] : [],
    );
  return [...reasonLines(skips(false), detail, 'not static'), ...reasonLines(skips(true), detail, 'float too')];
}

function reasonLines(skips: readonly Skip[], detail: Detail, word: string): string[] {
  const reasons = new Map<SkipReason, Skip[]>();
  for (const one of skips) reasons.set(one.reason, [...(reasons.get(one.reason) ?? []), one]);
  const bytes = ([, list]: [SkipReason, Skip[]]): number => list.reduce((sum, one) => sum + one.bytes, 0);
  return [...reasons]
    .sort((a, b) => bytes(b) - bytes(a))
    .flatMap(([reason, list]) => {
      const operators = [...new Set(list.map((one) => one.opType))].filter((one) => one !== '').join(', ');
      const of = operators === '' ? '' : ` of ${printable(operators)}`;
      const size = bytes([reason, list]);
      const much = `${count(list.length, 'weight')}${of}${size === 0 ? '' : `, ${formatBytes(size)}`}`;
      const [first] = list;
      const name = detail === 'none' && list.length === 1 && first !== undefined ? ` (${nameOf(first)})` : '';
      const lines = [`  ${word} ${much}: ${REASONS[reason]}${name}`];
      if (detail === 'none') return lines;
      const sorted = [...list].sort((a, b) => b.elements - a.elements);
      const shown = detail === 'all' ? sorted : sorted.slice(0, NAMED);
      lines.push(...factLines(shown, REASONS[reason], detail === 'all'));
      if (shown.length < list.length) lines.push(`    … and ${list.length - shown.length} more (--verbose)`);
      return lines;
    });
}

function nameOf({ weight, node }: Skip): string {
  return printable(weight || node);
}

/**
 * Weights with their facts: one line for all weights with the same fact, or with --verbose one line each. A fact that
 * only repeats the reason is left out.
 */
function factLines(skips: readonly Skip[], reason: string, verbose: boolean): string[] {
  const groups = new Map<string | Skip, Skip[]>();
  for (const one of skips) {
    const key = verbose ? one : one.detail;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].map((list) => {
    const names = list.map(nameOf).join(', ');
    const detail = list[0]?.detail ?? '';
    return detail === reason ? `    ${names}` : `    ${names}: ${printable(detail)}`;
  });
}
