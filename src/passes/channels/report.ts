import { elementCount, isFloat } from '../../ir/dtype.ts';
import { constantName } from '../../layers/constant.ts';
import { isExcluded, notFloat, type Selection, skipUse, type WeightUse, weightUses } from '../../layers/select.ts';
import type { Change, Skip, SkipReason } from '../../layers/skip.ts';
import type { Analysis } from './analysis.ts';
import { type Group, groupLayers } from './groups.ts';
import type { Macs } from './macs.ts';
import { CHANNEL_OPS, type ResolvedOptions } from './options.ts';
import { type Remaining, shrinking } from './rewrite.ts';
import type { Axis, Pin } from './space.ts';
import type { Weight } from './structure.ts';

/** The result for one group of channels. */
export interface GroupReport {
  /** Weights that produce these channels, and weights that read them. */
  readonly outputs: readonly string[];
  readonly inputs: readonly string[];
  readonly before: number;
  readonly after: number;
  /** Why no channel was removed. */
  readonly stays?: string;
}

/** The weights that changed, as they were before. */
export function changesOf(analysis: Analysis, left: Remaining): Change[] {
  return shrinking(analysis, left).map((weight): Change => {
    const { tensor } = weight.held;
    const dims = dimsLeft(weight, left);
    const uses = analysis.graph.uses(weight.name).flatMap((use) => (use.node === undefined ? [] : [use.node]));
    const elements = elementCount(tensor.dims);
    return {
      weight: constantName(weight.held),
      nodes: uses.map((node) => node.name || (node.outputs[0] ?? '')),
      opType: [...new Set(uses.map((node) => node.opType))].join(', '),
      dtype: tensor.dtype,
      dims: tensor.dims,
      elements,
      before: tensor.byteLength,
      after: (tensor.byteLength / elements) * elementCount(dims),
      form: dims.join('×'),
    };
  });
}

function dimsLeft({ held, value }: Weight, left: Remaining): number[] {
  return held.tensor.dims.map((dim, index) => {
    const axis = value.axes[index];
    return left.changes(axis) ? left.size(axis) : dim;
  });
}

/** Pins what the user excluded: an excluded weight keeps its shape. */
export function pinExcluded(analysis: Analysis, uses: readonly WeightUse[], selection: Selection): void {
  const left = { ...selection, include: [] };
  for (const use of uses) {
    if (!isExcluded(use, left)) continue;
    const pin: Pin = { reason: 'excluded_by_user', detail: `'${constantName(use.held)}' is excluded by \`exclude\`` };
    for (const axis of analysis.weights.get(constantName(use.held))?.value.axes ?? []) analysis.space.pin(axis, pin);
  }
}

/**
 * Why a group is left alone: no weight that produces it is selected by `include` and `opTypes` (for a table, its
 * readers count), or no operator reads such a weight as it is stored.
 */
export function exclusion(uses: readonly WeightUse[], options: ResolvedOptions): (group: Group) => Pin | undefined {
  const wanted = uses.filter((use) => options.opTypes.includes(use.node.opType) && !isExcluded(use, options));
  const [all, names] = [uses, wanted].map((list) => new Set(list.map((use) => constantName(use.held))));
  return (group) => {
    const { outputs, inputs } = groupLayers(group);
    const own = outputs.length > 0 ? outputs : inputs;
    if (own.some((name) => names?.has(name))) return undefined;
    if (own.some((name) => all?.has(name))) {
      return { reason: 'excluded_by_user', detail: 'excluded by `opTypes` or `include`' };
    }
    const whole = group.occurrences.some(
      (one) => own.includes(one.weight.name) && !isFloat(one.weight.held.tensor.dtype),
    );
    if (whole) return { reason: 'already_quantized', detail: 'their weights are stored as integers' };
    return { reason: 'pinned_channels', detail: 'one of their weights is computed from others' };
  };
}

/** The weights of products that kept their shape, each with its reason. */
export function skipsOf(analysis: Analysis, left: Remaining, reasons: ReadonlyMap<number, Pin>): Skip[] {
  const { uses, skips } = weightUses(analysis.model, CHANNEL_OPS);
  const seen = new Set<object>();
  const outputs = new Set(analysis.products.map((one) => one.outputs));
  for (const use of uses) {
    if (seen.has(use.held.tensor)) continue;
    seen.add(use.held.tensor);
    const inner = innerSkip(analysis, use);
    if (inner !== undefined) skips.push(inner);
    if (inner !== undefined) continue;
    const weight = analysis.weights.get(constantName(use.held));
    if (weight === undefined || weight.value.axes.some((axis) => left.changes(axis))) continue;
    const { reason, detail } = notFloat(use) ?? reasonOf(analysis, weight, outputs, reasons);
    skips.push(skipUse(use, reason, detail));
  }
  return skips;
}

/** A weight that is not read in the main graph. */
function innerSkip(analysis: Analysis, use: WeightUse): Skip | undefined {
  if (use.graph === analysis.graph) return undefined;
  if (use.graph.root.kind === 'function') {
    return skipUse(use, 'in_function', 'it is in a local function, which is not analysed');
  }
  return skipUse(use, 'pinned_channels', `it is read in a subgraph, which is not analysed`);
}

/** The reason of its output channels takes precedence. */
function reasonOf(
  { space }: Analysis,
  { value: { axes } }: Weight,
  outputs: ReadonlySet<Axis | undefined>,
  reasons: ReadonlyMap<number, Pin>,
): Pin {
  const ordered = [...axes.filter((axis) => outputs.has(axis)), ...axes].filter((axis) => axis !== undefined);
  for (const axis of ordered) {
    for (const channel of axis) {
      const pin = space.pinOf(channel) ?? reasons.get(space.find(channel));
      if (pin !== undefined) return { reason: pin.reason, detail: `its channels stay: ${pin.detail}` };
    }
  }
  const reason: SkipReason = 'too_few_channels';
  return { reason, detail: 'it has only one channel' };
}

/** Every group that could lose channels, and the reason for each layer whose channels all stay. */
export function groupReports(
  analysis: Analysis,
  groups: readonly Group[],
  removed: ReadonlySet<number>,
  reasons: ReadonlyMap<number, Pin>,
): GroupReport[] {
  const free = groups.map((group): GroupReport => {
    const before = group.channels.length;
    const after = group.channels.filter((root) => !removed.has(root)).length;
    const why = reasons.get(group.channels[0] as number)?.detail;
    return { ...groupLayers(group), before, after, ...(after < before || why === undefined ? {} : { stays: why }) };
  });
  const pinned = analysis.products.flatMap(({ weight, outputs }): GroupReport[] => {
    const pin = outputs && analysis.space.pinOfAll(outputs);
    if (outputs === undefined || pin === undefined || weight === '') return [];
    const { length } = outputs;
    return [{ outputs: [weight], inputs: [], before: length, after: length, stays: pin.detail }];
  });
  return [...free, ...pinned];
}

/** A group, in one line. */
export function groupLine({ outputs, inputs, before, after, stays }: GroupReport): string {
  const names = (list: readonly string[]): string => {
    const [first = '', ...more] = list;
    return list.length > 4 ? `${first} and ${more.length} more` : list.join(', ');
  };
  const read = inputs.length === 0 ? '' : ` → ${names(inputs)}`;
  const layers = `${names(outputs)}${read}`;
  if (stays !== undefined) return `${layers}: ${before} channels stay: ${stays}`;
  return after === before ? `${layers}: ${before} channels stay` : `${layers}: ${before} → ${after} channels`;
}

/** Counts before and after. */
interface Counts {
  readonly before: number;
  readonly after: number;
}

/** The totals of the removal, one sentence each. */
export function totals(parameters: Counts, macs: Macs | undefined): string[] {
  const fell = ({ before, after }: Counts): string => {
    const share = ((after - before) / before) * 100;
    return `${before} → ${after} (${share > 0 ? '+' : '−'}${Math.abs(share).toFixed(1)} %)`;
  };
  const first = `parameters: ${fell(parameters)}`;
  if (macs === undefined) return [first, 'multiply-adds are not counted, because the model has dynamic lengths'];
  return [first, `multiply-adds per row: ${fell(macs)}`];
}
