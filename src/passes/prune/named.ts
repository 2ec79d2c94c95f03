import { CompressError } from '../../errors.ts';
import type { NamedArray, NamedArrays } from '../../ir/arrays.ts';
import type { DType } from '../../ir/dtype.ts';
import type { Model } from '../../ir/model.ts';
import { isInOut } from '../../layers/axes.ts';
import { constantName } from '../../layers/constant.ts';
import type { Skip } from '../../layers/skip.ts';
import { modulePath, namesOf } from './names.ts';
import { type AnyNumbers, numbersOf, transposed } from './numbers.ts';
import type { ResolvedOptions } from './options.ts';
import type { TargetWeight } from './targets.ts';

/** The array of a file for a weight. */
export interface Matched {
  /** Its name in errors, e.g. `masks.npz, array 'fc1.weight_mask'`. */
  readonly where: string;
  readonly dtype: DType;
  /** Its elements in the order of the weight's. */
  load(): Promise<AnyNumbers>;
}

/** As `torch.nn.utils.prune` names a mask in `state_dict()`. */
const MASK = '_mask';
/** Names that an error lists. */
const LISTED = 5;

/**
 * Finds the array of each weight: by the weight's name, with `_mask` after it, or by the module path in the node's name
 * (`conv1.weight` for `/conv1/Conv`). If a file has names with `_mask`, it is a `state_dict()`, and only these are
 * used.
 *
 * @param skips - weights that are skipped anyway; arrays for them are ignored
 * @throws CompressError `data` if a name is that of no weight, or a shape is not the weight's
 */
export function matchArrays(
  model: Model,
  targets: readonly TargetWeight[],
  skips: readonly Skip[],
  { label, arrays }: NamedArrays,
  layout: ResolvedOptions['layout'],
): { matched: ReadonlyMap<TargetWeight, Matched>; notes: string[] } {
  const byName = indexBy(targets, namesOf);
  const byPath = indexBy(targets, (one) => one.uses.flatMap((use) => modulePath(use.node.name) ?? []));
  const left = new Set(skips.flatMap((one) => [one.weight, modulePath(one.node) ?? one.weight]));
  const matched = new Map<TargetWeight, Matched & { readonly name: string }>();
  const [unknown, unused]: [string[], string[]] = [[], []];
  const all = [...arrays.keys()];
  for (const name of all.some((one) => one.endsWith(MASK)) ? all.filter((one) => one.endsWith(MASK)) : all) {
    const bare = name.endsWith(MASK) ? name.slice(0, -MASK.length) : name;
    const module = bare.endsWith('.weight') ? bare.slice(0, -'.weight'.length) : undefined;
    const exact = byName.get(name) ?? byName.get(bare);
    const [target, more] = exact ?? (module === undefined ? undefined : byPath.get(module)) ?? [];
    const where = `${label}, array '${name}'`;
    if (target === undefined || more !== undefined) {
      if (left.has(bare) || left.has(module ?? bare)) continue;
      (isValue(model, bare) ? unused : unknown).push(name);
      continue;
    }
    const twin = matched.get(target);
    if (twin !== undefined) {
      throw new CompressError('data', where, `matches ${constantName(target.held)}, as does '${twin.name}'`);
    }
    const array = arrays.get(name) as NamedArray;
    const isTorchs = exact === undefined || name !== bare;
    matched.set(target, { name, where, dtype: array.dtype, load: loader(array, target, where, layout, isTorchs) });
  }
  if (unknown.length > 0) throw unknownNames(label, unknown, targets);
  const notes = unused.length === 0 ? [] : [`${label}: unused, because only weights are pruned: ${listed(unused)}`];
  return { matched, notes };
}

/** Whether the model has a constant of that name, for example a bias. */
function isValue(model: Model, name: string): boolean {
  for (const graph of model.graphs()) if (graph.constant(name) !== undefined) return true;
  return false;
}

function unknownNames(label: string, unknown: readonly string[], targets: readonly TargetWeight[]): CompressError {
  const hint = `The weights are ${listed(targets.map((one) => constantName(one.held)))}.`;
  return new CompressError('data', label, `has arrays that match no weight: ${listed(unknown)}`, {
    hint,
  });
}

/** Names in a sentence, the first few. */
export function listed(names: readonly string[]): string {
  const rest = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  return `${names.slice(0, LISTED).join(', ')}${rest}`;
}

function loader(
  array: NamedArray,
  target: TargetWeight,
  where: string,
  layout: ResolvedOptions['layout'],
  isTorchs: boolean,
): () => Promise<AnyNumbers> {
  const { dims } = target.held.tensor;
  const [rows = 1, columns = 1] = dims;
  const flipped = isInOut(target);
  const turn = flipped && layout === 'torch';
  const expected = turn ? [columns, rows] : dims;
  const doubt =
    'The model stores it as [in, out]. If the array is [out, in], as in torch.nn.Linear, give `layout: torch`';
  const weight = constantName(target.held);
  if (!sameDims(array.dims, expected)) {
    const isTurned = flipped && layout === undefined && sameDims(array.dims, [columns, rows]);
    const as = turn ? ' as [out, in]' : '';
    const fact = `has the shape [${array.dims.join(', ')}]; ${weight}${as} is [${expected.join(', ')}]`;
    throw new CompressError('data', where, fact, isTurned ? { hint: `${doubt}.` } : {});
  }
  if (flipped && rows === columns && isTorchs && layout === undefined) {
    const fact = `is square, and may match ${weight} as stored or transposed`;
    throw new CompressError('data', where, fact, {
      hint: `${doubt}; if it is stored as in the model, \`layout: onnx\`.`,
    });
  }
  return async () => {
    const numbers = numbersOf(await array.load(), array.dtype);
    if (numbers === undefined) throw new CompressError('data', where, `has ${array.dtype} elements`);
    return turn ? transposed(numbers, columns, rows) : numbers;
  };
}

function sameDims(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((dim, index) => dim === other[index]);
}

function indexBy(
  targets: readonly TargetWeight[],
  names: (target: TargetWeight) => readonly string[],
): Map<string, TargetWeight[]> {
  const index = new Map<string, TargetWeight[]>();
  for (const target of targets) {
    for (const name of new Set(names(target))) index.set(name, [...(index.get(name) ?? []), target]);
  }
  return index;
}
