import type { Source } from '../../activations/requests.ts';
import type { Model } from '../../ir/model.ts';
import { floatAttribute, isOp, labelOf, type Node } from '../../ir/node.ts';
import type { PatchGeometry } from '../../kernels/importance/patches.ts';
import { findAxis } from '../../layers/axes.ts';
import { constantName } from '../../layers/constant.ts';
import { convUse, type Layout, matrixUse } from '../../layers/matrix.ts';
import { skipUse, type WeightUse } from '../../layers/select.ts';
import type { Skip } from '../../layers/skip.ts';
import { fewInputs } from '../prune/groups.ts';
import type { TargetWeight } from '../prune/targets.ts';
import type { Pattern } from './options.ts';

/** A weight whose activations can be observed. */
export interface Layer {
  readonly target: TargetWeight;
  readonly layout: Layout;
  /** One for each node that uses the weight. */
  readonly sources: readonly Source[];
  /** Position of the first of these nodes in the main graph. */
  readonly position: number;
}

/** The weight as one node uses it, or why its activations cannot be observed. */
type Seen = { readonly layout: Layout; readonly source: Source } | Skip;

/** The targets as layers in the order in which they run; skips for the others. */
export function observedLayers(
  model: Model,
  targets: readonly TargetWeight[],
  pattern: Pattern | undefined,
): { layers: Layer[]; skips: Skip[] } {
  const layers: Layer[] = [];
  const skips: Skip[] = [];
  const positions = new Map(model.graph.nodes.map((node, index) => [node, index]));
  for (const target of targets) {
    const found = observedLayer(model, target, pattern, positions);
    if ('reason' in found) skips.push(found);
    else layers.push(found);
  }
  return { layers: layers.sort((a, b) => a.position - b.position), skips };
}

function observedLayer(
  model: Model,
  target: TargetWeight,
  pattern: Pattern | undefined,
  positions: ReadonlyMap<Node, number>,
): Layer | Skip {
  const { uses } = target;
  const [first] = uses as [WeightUse];
  const sources: Source[] = [];
  let layout: Layout | undefined;
  for (const use of uses) {
    const seen = seenBy(model, use, pattern);
    if ('reason' in seen) return seen;
    if (layout !== undefined && !sameLayout(layout, seen.layout)) {
      return skipUse(use, 'no_importance', 'the nodes that share it sum over different axes');
    }
    layout = seen.layout;
    sources.push(seen.source);
  }
  const reader = otherReader(target);
  if (reader !== undefined) return skipUse(first, 'no_importance', `${reader} also reads it`);
  if (layout === undefined) return skipUse(first, 'no_importance', 'no node uses it');
  if (pattern !== undefined) {
    const along = findAxis(target, 'in', false);
    if (typeof along === 'string') return skipUse(first, 'no_such_axis', along);
    const few = fewInputs(along, pattern.of);
    if (few !== undefined) return skipUse(first, 'group_exceeds_size', few);
  }
  const position = Math.min(...uses.map((use) => positions.get(use.node) ?? Number.POSITIVE_INFINITY));
  return { target, layout, sources, position };
}

function seenBy(model: Model, use: WeightUse, pattern: Pattern | undefined): Seen {
  const { node, held, graph, reshaped } = use;
  const { dims } = held.tensor;
  if (graph !== model.graph) {
    return graph.root.kind === 'function'
      ? skipUse(use, 'in_function', 'it is inside a local function, whose activations cannot be observed')
      : skipUse(
          use,
          'not_reached',
          'its node is in the body of an If, Loop or Scan, whose activations cannot be observed',
        );
  }
  if (isOp(node, 'ConvTranspose')) {
    return skipUse(use, 'no_importance', 'the activations of a ConvTranspose weight do not form matrix rows');
  }
  if (reshaped) return skipUse(use, 'no_importance', 'it is reshaped before the node');
  if (isOp(node, 'Conv')) {
    const value = node.inputs[0] ?? '';
    if (dims.length < 3)
      return skipUse(use, 'unsupported_rank', `a filter has no spatial axis in [${dims.join(', ')}]`);
    const found = convUse(node, dims, pattern === undefined ? 'channels_first' : 'channels_last');
    if (found === undefined) return skipUse(use, 'no_importance', 'the function call sets the number of groups');
    const { layout, geometry } = found;
    if (!Number.isInteger(layout.rows) || layout.groups < 1) {
      return skipUse(use, 'no_importance', `${dims[0]} filters cannot be divided into ${layout.groups} groups`);
    }
    if (!isWalk(geometry)) return skipUse(use, 'no_importance', 'its strides, dilations or pads are invalid');
    return unseen(model, use, value) ?? { layout, source: { kind: 'patches', value, geometry, factor: 1 } };
  }
  if (dims.length !== 2) {
    return skipUse(use, 'unsupported_rank', `it has the dims [${dims.join(', ')}]; a matrix is required`);
  }
  const { layout, axis, input } = matrixUse(use);
  const value = node.inputs[input] ?? '';
  const alpha = isOp(node, 'Gemm') ? floatAttribute(node, 'alpha', 1) : 1;
  return unseen(model, use, value) ?? { layout, source: { kind: 'matrix', value, axis, factor: alpha * alpha } };
}

/** Whether a convolution has positive strides and dilations, and pads for each axis: files may be invalid. */
function isWalk({ kernel, strides, dilations, pads, autoPad }: PatchGeometry): boolean {
  const whole = (list: readonly number[], count: number, least: number): boolean =>
    list.length === count && list.every((one) => Number.isSafeInteger(one) && one >= least);
  const padded = autoPad !== 'NOTSET' || pads.length === 0 || whole(pads, 2 * kernel.length, 0);
  return whole(strides, kernel.length, 1) && whole(dilations, kernel.length, 1) && padded;
}

/** A skip if the value that a weight is multiplied by is not an activation. */
function unseen({ graph }: Model, use: WeightUse, value: string): Skip | undefined {
  const computed = graph.producer(value) !== undefined || (graph.isInput(value) && !graph.initializers.has(value));
  if (computed && graph.constant(value) === undefined) return undefined;
  return skipUse(use, 'not_reached', `it is applied to '${value}', a constant`);
}

function sameLayout(a: Layout, b: Layout): boolean {
  const numbers = ({ groups, rows, columns, rowStep, offsets, segment }: Layout): string =>
    [groups, rows, columns, rowStep, offsets[1], segment].join();
  return numbers(a) === numbers(b);
}

/**
 * A reader of the weight other than the observed nodes. Nothing is known of its activations, and SparseGPT changes all
 * elements.
 */
function otherReader({ held, uses }: TargetWeight): string | undefined {
  const via = new Set(uses.flatMap((use) => use.via));
  const users = new Set(uses.map((use) => use.node));
  const pending = [constantName(held), ...[...via].flatMap((node) => node.outputs)];
  for (const name of pending) {
    for (const { node } of name === '' ? [] : held.graph.uses(name)) {
      if (node === undefined) return 'an output of the graph';
      if (!via.has(node) && !users.has(node)) return labelOf(node);
    }
  }
  return undefined;
}
