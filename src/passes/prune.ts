import { CompressError } from '../errors.ts';
import { elementCount } from '../ir/dtype.ts';
import type { Held } from '../ir/graph.ts';
import type { Model } from '../ir/model.ts';
import type { Tensor } from '../ir/tensor.ts';
import { roundHalfEven } from '../kernels/linear.ts';
import { selectThreshold } from '../kernels/magnitude.ts';
import { heldName, replaceHeld } from './held.ts';
import { inliningNotes } from './inline/index.ts';
import { inlineWeights } from './inline/weights.ts';
import { type Measured, measure, NOTHING, type Pruning, zeroChosen } from './measure.ts';
import type { Change, Pass, PassReport, Skip } from './pass.ts';
import { selectRandom } from './random.ts';
import { checkOpTypes, isExcluded, notFloat, type Selection, skipUse, type WeightUse, weightUses } from './select.ts';

/** Operators whose weights can be pruned. */
export const PRUNABLE_OPS = ['Gemm', 'MatMul', 'Conv', 'ConvTranspose'] as const;

export interface PruneOptions extends Selection {
  /** What makes a weight unimportant: its magnitude (for single weights l1 and l2 order alike), or chance. */
  readonly method: 'l1' | 'l2' | 'random';
  /** A fraction between 0 and 1 of the weights, or, from 1 on, a whole number of weights: of each tensor, or of all. */
  readonly amount: number;
  /** `tensor`: every weight tensor loses `amount` of its own. `global`: the least important ones of all together. */
  readonly scope?: 'tensor' | 'global';
  /** For `random`: the same seed prunes the same weights on every machine. */
  readonly seed?: number;
}

export const PRUNE_DEFAULTS: Required<Pick<PruneOptions, 'scope' | 'seed' | 'opTypes'>> = {
  scope: 'tensor',
  seed: 0,
  opTypes: PRUNABLE_OPS,
};

/** A weight tensor that will be pruned, and the nodes that use it. */
interface Target {
  readonly held: Held;
  readonly uses: readonly WeightUse[];
  readonly elements: number;
}

/**
 * Sets the least important weights to zero, as `torch.nn.utils.prune` followed by `prune.remove` does: the file holds
 * the pruned weights, no mask is left.
 *
 * Exactly `round(amount · n)` weights become zero (half to even, as Python rounds); among equal magnitudes the one with
 * the lower index goes first. Doing it again changes nothing. Zeros alone neither shrink a dense file nor speed it up.
 *
 * ```
 * before  W = [ 0.9 -0.1  0.4 -0.7 ]    y = MatMul(x, W)
 * after   W = [ 0.9  0.0  0.0 -0.7 ]    y = MatMul(x, W)      l1, amount 0.5
 * ```
 *
 * @throws CompressError `options` when the amount or an operator type cannot be
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.prune.l1_unstructured.html
 */
export function prune(options: PruneOptions): Pass {
  const { amount } = options;
  if (!(amount > 0) || !Number.isFinite(amount) || (amount >= 1 && !Number.isSafeInteger(amount))) {
    throw new CompressError(
      'options',
      'amount',
      `${amount} is neither a fraction between 0 and 1 nor a whole number of weights`,
    );
  }
  checkOpTypes(options.opTypes ?? [], PRUNABLE_OPS);
  return { name: 'prune', run: (model) => run(model, { ...PRUNE_DEFAULTS, ...options }) };
}

type Settled = PruneOptions & Required<Pick<PruneOptions, 'scope' | 'seed' | 'opTypes'>>;

async function run(model: Model, options: Settled): Promise<PassReport> {
  const notes = inliningNotes(inlineWeights(model, options.opTypes, 'handed'));
  const { targets, skips } = select(model, options);
  const changes =
    options.scope === 'global' ? await pruneGlobal(targets, options, skips) : await pruneEach(targets, options, skips);
  return { pass: 'prune', changes, skips, notes };
}

/** The weights to prune, each once however many nodes share it. */
function select(model: Model, options: Settled): { targets: Target[]; skips: Skip[] } {
  const { uses, skips } = weightUses(model, PRUNABLE_OPS);
  const groups = new Map<Tensor, WeightUse[]>();
  const left = new Map<Tensor, WeightUse>();
  for (const use of uses) {
    const reason = notFloat(use);
    if (reason !== undefined) skips.push(reason);
    else if (!options.opTypes.includes(use.node.opType) || isExcluded(use, options)) left.set(use.held.tensor, use);
    else groups.set(use.held.tensor, [...(groups.get(use.held.tensor) ?? []), use]);
  }
  for (const [tensor, use] of left) {
    if (!groups.has(tensor))
      skips.push(skipUse(use, 'excluded_by_user', 'left out by --op-types, --include or --exclude'));
  }
  const targets = [...groups.values()].map((list): Target => {
    const { held } = list[0] as WeightUse;
    return { held, uses: list, elements: elementCount(held.tensor.dims) };
  });
  return { targets: targets.filter((one) => one.elements > 0), skips };
}

/** How many of `elements` weights an amount means. */
function countOf(amount: number, elements: number): number {
  return amount < 1 ? roundHalfEven(amount * elements) : Math.min(amount, elements);
}

async function pruneEach(targets: readonly Target[], options: Settled, skips: Skip[]): Promise<Change[]> {
  const changes: Change[] = [];
  for (const target of targets) {
    const [use] = target.uses as [WeightUse];
    const { elements } = target;
    if (options.amount > elements) {
      skips.push(skipUse(use, 'amount_exceeds_size', `it has ${elements} weights, fewer than ${options.amount}`));
      continue;
    }
    const measured = await measure(target.held.tensor, 'keep');
    const count = countOf(options.amount, elements);
    const { zeros, nans } = await measured.countSpecial();
    if (options.method === 'random') {
      const choose = (zero: (index: number) => void): void =>
        selectRandom(elements, count, options.seed, heldName(target.held), zero);
      changes.push(apply(target, zeros, await zeroChosen(target.held.tensor, choose)));
    } else if (nans > 0) {
      skips.push(skipUse(use, 'non_finite', NAN));
    } else if (zeros >= count) {
      changes.push(apply(target, zeros, NOTHING));
    } else {
      const threshold = await selectThreshold(() => once(measured), measured.width, count, addDigits);
      changes.push(apply(target, zeros, await measured.prune(threshold)));
    }
  }
  return changes;
}

const NAN = 'it holds NaN, which has no magnitude';

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}

function addDigits(histogram: Float64Array, measured: Measured, prefix: readonly number[]): Promise<void> {
  return measured.addDigits(histogram, prefix);
}

/** A target that can be compared with the others, its zeros counted. */
interface Usable extends Target {
  readonly zeros: number;
  readonly measured: Measured;
}

async function pruneGlobal(targets: readonly Target[], options: Settled, skips: Skip[]): Promise<Change[]> {
  const usable: Usable[] = [];
  const wide = targets.some((one) => one.held.tensor.dtype !== 'float64');
  for (const target of targets) {
    const [use] = target.uses as [WeightUse];
    const measured = await measure(target.held.tensor, 'forget');
    const { zeros, nans } = await measured.countSpecial();
    if (wide && measured.width === 4) {
      skips.push(skipUse(use, 'mixed_dtype', 'it is float64 beside smaller floats under one threshold'));
    } else if (options.method !== 'random' && nans > 0) {
      skips.push(skipUse(use, 'non_finite', NAN));
    } else {
      usable.push({ ...target, zeros, measured });
    }
  }
  const total = usable.reduce((sum, one) => sum + one.elements, 0);
  const count = countOf(options.amount, total);
  if (count === 0) return usable.map((target) => apply(target, target.zeros, NOTHING));
  return options.method === 'random'
    ? globalRandom(usable, total, count, options.seed)
    : globalThreshold(usable, count);
}

async function globalRandom(targets: readonly Usable[], total: number, count: number, seed: number): Promise<Change[]> {
  const changes: Change[] = [];
  let start = 0;
  for (const target of targets) {
    const [first, last] = [start, start + target.elements];
    const choose = (zero: (index: number) => void): void =>
      selectRandom(total, count, seed, '', (index) => {
        if (index >= first && index < last) zero(index - first);
      });
    changes.push(apply(target, target.zeros, await zeroChosen(target.held.tensor, choose)));
    start = last;
  }
  return changes;
}

async function globalThreshold(targets: readonly Usable[], count: number): Promise<Change[]> {
  async function* pass(): AsyncGenerator<Measured> {
    for (const { measured } of targets) yield measured;
  }
  const width = targets[0]?.measured.width ?? 2;
  const threshold = await selectThreshold(pass, width, count, addDigits);
  const changes: Change[] = [];
  // Ties are given to the tensors in order.
  for (const target of targets) changes.push(apply(target, target.zeros, await target.measured.prune(threshold)));
  return changes;
}

/** Replaces the weight by one that is pruned when it is asked for, unless nothing would change, and reports it. */
function apply(target: Target, zeros: number, { lost, replacement }: Pruning): Change {
  const { held, uses } = target;
  const { tensor } = held;
  if (lost > 0 && replacement !== undefined) replaceHeld(held, replacement);
  return {
    weight: heldName(held),
    nodes: uses.map((use) => use.node.name || (use.node.outputs[0] ?? '')),
    opType: [...new Set(uses.map((use) => use.node.opType))].join(', '),
    dtype: tensor.dtype,
    dims: tensor.dims,
    elements: target.elements,
    before: tensor.byteLength,
    after: tensor.byteLength,
    zeros: zeros + lost,
  };
}
