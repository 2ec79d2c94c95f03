import { CompressError } from '../../errors.ts';
import type { Model } from '../../ir/model.ts';
import { checkOpTypes, weightUses } from '../../layers/select.ts';
import { checkShape } from '../../options/check.ts';
import { bringWeights } from '../constants/see.ts';
import { countParameters, heldWeights } from '../inspect/describe.ts';
import { unpackFirst } from '../pack/unpack.ts';
import type { Pass, PassReport } from '../pass.ts';
import type { Analysis } from './analysis.ts';
import { analyze } from './analyze.ts';
import { type Group, groupsOf } from './groups.ts';
import { importances, measuredNorms } from './importance.ts';
import { macsOf } from './macs.ts';
import { CHANNEL_DEFAULTS, CHANNEL_OPS, CHANNEL_SHAPE, type ChannelOptions, type ResolvedOptions } from './options.ts';
import { refitLayers } from './refit.ts';
import { changesOf, exclusion, type GroupReport, groupReports, pinExcluded, skipsOf, totals } from './report.ts';
import { Remaining, rewrite } from './rewrite.ts';
import { type Ranked, type Removed, selectRemoved } from './select.ts';
import type { Pin } from './space.ts';

export {
  CHANNEL_DEFAULTS,
  CHANNEL_NORMS,
  CHANNEL_OPS,
  type ChannelActivations,
  type ChannelNorm,
  type ChannelOptions,
} from './options.ts';
export { type GroupReport, groupLine } from './report.ts';

/** A report that also describes every group of channels. */
export interface ChannelReport extends PassReport {
  readonly groups: readonly GroupReport[];
}

/** A pass with a {@link ChannelReport}. */
export interface ChannelPass extends Pass {
  run(model: Model): Promise<ChannelReport>;
}

/**
 * Removes the least important channels of Conv, ConvTranspose, Gemm and MatMul: their filters, biases and normalization
 * parameters, and the columns of the layers that read them. The result is a smaller dense model, which any runtime runs
 * faster.
 *
 * Channels that must go together (a residual sum, a depthwise Conv, the features a flattened channel became, an
 * attention head in its four projections) are found by following every axis through the graph, starting from the
 * weights; shapes that the file states are not used. An operator that is not understood keeps the channels it reads.
 *
 * ```
 * before  h = Relu(Conv(x, W1[64,32,3,3]))    y = Conv(h, W2[96,64,3,3])
 * after   h = Relu(Conv(x, W1[45,32,3,3]))    y = Conv(h, W2[96,45,3,3])       amount 0.3
 * ```
 *
 * If no normalization runs over the channels, the result computes exactly what the old model would with the removed
 * columns of the reading layers set to zero.
 *
 * @throws CompressError `options` if the amount, the multiple or an operator type is invalid, or if data is missing
 * @example
 * await transform(model, removeChannels({ amount: 0.3 }));
 * @see https://arxiv.org/abs/2301.12900 Fang et al., DepGraph: Towards Any Structural Pruning, CVPR 2023
 */
export function removeChannels(options: ChannelOptions): ChannelPass {
  checkShape('removeChannels', options, CHANNEL_SHAPE);
  const settled: ResolvedOptions = { ...CHANNEL_DEFAULTS, ...options };
  check(settled);
  return { name: 'channels', run: (model) => run(model, settled) };
}

function check({ opTypes, norm, reconstruct, source }: ResolvedOptions): void {
  const bad = (where: string, fact: string, hint?: string): CompressError =>
    new CompressError('options', where, fact, hint === undefined ? {} : { hint });
  checkOpTypes(opTypes, CHANNEL_OPS);
  const needs = norm === 'wanda' ? 'norm' : reconstruct ? 'reconstruct' : undefined;
  if (needs !== undefined && source === undefined) {
    throw bad(needs, 'activations are needed, but there is no source of them', 'Give a `source` of activations.');
  }
}

/** The analysis, the groups that may lose channels, and why the others may not. */
export interface Plan {
  readonly analysis: Analysis;
  readonly groups: readonly Group[];
  readonly removed: Removed;
  /** Why a removable channel stays, by its representative. */
  readonly reasons: ReadonlyMap<number, Pin>;
}

/** Finds what would be removed, without touching the model. */
export async function planRemoval(model: Model, options: ResolvedOptions): Promise<Plan> {
  const analysis = await analyze(model, options.normalized);
  const { uses } = weightUses(model, CHANNEL_OPS);
  pinExcluded(analysis, uses, options);
  const groups = groupsOf(analysis);
  const reasons = new Map<number, Pin>();
  const keep = (group: Group, pin: Pin): void => {
    for (const root of group.channels) reasons.set(root, pin);
  };
  const whyNot = exclusion(uses, options);
  const wanted = groups.filter((group) => {
    const pin = whyNot(group);
    if (pin !== undefined) keep(group, pin);
    return pin === undefined;
  });
  const { norm, source } = options;
  const norms = norm === 'wanda' && source !== undefined ? await measuredNorms(analysis, wanted, source) : new Map();
  const scores = await importances(wanted, norm, norms);
  const ranked = wanted.flatMap((group, index): Ranked[] => {
    const own = scores[index];
    if (own !== undefined) return [{ group, scores: own }];
    keep(group, { reason: 'non_finite', detail: 'its weights contain NaN or infinity' });
    return [];
  });
  const removed = selectRemoved(analysis, ranked, options);
  for (const { group } of ranked) {
    if (group.channels.some((root) => removed.has(root))) continue;
    const { length } = group.channels;
    const what = `all ${length} ${length === 1 ? 'channel stays' : 'channels stay'} at this amount and rounding`;
    keep(group, { reason: 'too_few_channels', detail: what });
  }
  return { analysis, groups, removed, reasons };
}

async function run(model: Model, options: ResolvedOptions): Promise<ChannelReport> {
  const { notes, ...unpacked } = await unpackFirst(model);
  const before = countParameters(heldWeights(model));
  notes.push(...(await bringWeights(model, options.opTypes, 'all')));
  const { analysis, groups, removed, reasons } = await planRemoval(model, options);
  const left = new Remaining(analysis, removed);
  const changes = changesOf(analysis, left);
  const skips = skipsOf(analysis, left, reasons);
  const macs = macsOf(analysis, left);
  if (changes.length > 0) {
    const { source, reconstruct } = options;
    const fitted =
      source === undefined ? undefined : await refitLayers(analysis, left, source, reconstruct ? 'weights' : 'bias');
    rewrite(analysis, left, fitted);
    const parameters = { before, after: countParameters(heldWeights(model)) };
    notes.push(...totals(parameters, macs), ...(fitted?.notes ?? []));
  }
  const reports = groupReports(analysis, groups, removed, reasons);
  return { pass: 'channels', changes, skips, ...unpacked, notes, groups: reports };
}
