import { CompressError } from '../../errors.ts';
import { type Model, NO_OPSET } from '../../ir/model.ts';
import { checkShape } from '../../options/check.ts';
import { choiceFact } from '../../options/values.ts';
import { unpackFirst } from '../pack/unpack.ts';
import type { Pass, PassReport } from '../pass.ts';
import { foldChains } from './chains.ts';
import { computeConstants } from './computed.ts';
import { constantsToInitializers } from './constants.ts';
import { Folding } from './context.ts';
import { removeUnread } from './dead.ts';
import { nameHardSwish } from './hardswish.ts';
import { removeIdentities } from './identities.ts';
import { doneNotes, leftovers } from './report.ts';
import { separate } from './separate.ts';
import { FoldedWeights } from './weights.ts';

/** The rules of fold, in the order in which they run. */
export const FOLD_RULES = ['constants', 'identities', 'computed', 'hard_swish', 'chains', 'unread'] as const;

/**
 * - `constants`: Constant nodes become initializers
 * - `identities`: Identity, Dropout, `x · 1`, `x + 0` are removed
 * - `computed`: nodes all of whose inputs are constants become initializers, where the file does not grow by it
 * - `hard_swish`: hard-swish and hard-sigmoid that were written out become HardSigmoid
 * - `chains`: BatchNormalization, and constants that are added or multiplied, go into the weights beside them
 * - `unread`: nodes and initializers that nothing reads are removed
 */
export type FoldRule = (typeof FOLD_RULES)[number];

export interface FoldOptions {
  /** The rules to apply; all if omitted. */
  readonly rules?: readonly FoldRule[];
}

export const FOLD_DEFAULTS: Required<FoldOptions> = { rules: FOLD_RULES };

/** The oldest opset in which broadcasting, BatchNormalization and Dropout work as the rules assume. */
const LOWEST_OPSET = 7;

/**
 * Rewrites a float model into one that computes the same with fewer nodes and quantizes better: a factor after a Conv
 * becomes a factor of its weight.
 *
 * ```
 * before  x ── Conv(W, b) ── BatchNormalization(γ, β, μ, σ²) ── Dropout ── y
 *
 * after   x ── Conv(W', b') ── y         W' = W·γ/√(σ²+ε)     b' = (b−μ)·γ/√(σ²+ε) + β
 * ```
 *
 * Weights are computed in float64 when they are written, and rounded once, however many constants are merged into them.
 * Only constants that decide whether a rule applies are loaded. Folding twice changes nothing.
 *
 * Float32 and float64 weights are folded; float16 and bfloat16 ones are not, as a factor could push them out of range.
 * Local functions, initializers that a caller may override (graph inputs, from IR version 4 on), and tensors that
 * `training_info` names do not change either. A name keeps its meaning: a value that changes gets a new name. Stated
 * types and shapes of removed values stay in the file and have no effect.
 *
 * @example
 * await transform(model, fold());
 * @see https://onnx.ai/onnx/operators/onnx__BatchNormalization.html
 */
export function fold(options: FoldOptions = {}): Pass {
  checkShape('fold', options, { rules: 'list' });
  const unknown = options.rules?.find((one) => !FOLD_RULES.includes(one));
  if (unknown !== undefined) {
    throw new CompressError('options', 'rules', choiceFact(`'${unknown}'`, FOLD_RULES));
  }
  const rules = new Set(options.rules ?? FOLD_DEFAULTS.rules);
  return { name: 'fold', run: (model) => run(model, rules) };
}

async function run(model: Model, rules: ReadonlySet<FoldRule>): Promise<PassReport> {
  const { notes: broken, ...unpacked } = await unpackFirst(model);
  const folding = new Folding(model);
  const weights = new FoldedWeights();
  if (rules.has('constants')) constantsToInitializers(folding);
  if (rules.has('identities')) await removeIdentities(folding);
  if (rules.has('computed')) await computeConstants(folding);
  // First as well: once a dead reader is removed, a value may have a single reader and can be folded.
  if (rules.has('unread')) removeUnread(folding);
  // Before the chains, which would fold the 3 of a hard-sigmoid into a bias.
  if (rules.has('hard_swish')) await nameHardSwish(folding);
  const chains = rules.has('chains') && model.opset >= LOWEST_OPSET;
  if (chains) await foldChains(folding, weights);
  if (rules.has('unread')) removeUnread(folding);
  if (folding.done.length > 0) separate(folding);
  const facts = folding.done;
  const done = doneNotes(facts);
  if (done.length > 0) model.freeInitializers();
  const left = chains ? await leftovers(folding) : { skips: [], notes: [] };
  const notes = [...(done.length === 0 ? ['nothing to fold'] : done), ...broken, ...left.notes];
  const old = model.hasOpset ? `opset ${model.opset}: operators before opset ${LOWEST_OPSET}` : `${NO_OPSET}: they`;
  if (model.opset < LOWEST_OPSET && model.usesStandard) notes.push(`${old} are not folded`);
  const withFacts = facts.length === 0 ? {} : { facts };
  return { pass: 'fold', changes: weights.changes, skips: left.skips, ...unpacked, ...withFacts, notes };
}
