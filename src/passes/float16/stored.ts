import type { Constant, Graph } from '../../ir/graph.ts';
import { type Model, NO_OPSET, standardVersion } from '../../ir/model.ts';
import { attribute, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { constantName, heldBy, namesOf } from '../../layers/constant.ts';
import { matches } from '../../layers/pattern.ts';
import { sizeOf } from '../../layers/select.ts';
import type { Change, Skip, SkipReason } from '../../layers/skip.ts';
import { type Usage, usageOf } from '../inspect/roles.ts';
import { raiseOpset } from '../opset/index.ts';
import type { PassReport, Watch } from '../pass.ts';
import { angleNodes, isFrequency } from '../rotary.ts';
import { correctBiases } from './biases.ts';
import { changeOf } from './change.ts';
import { Fits } from './constants.ts';
import { constantNode, shorten, tensorsOf, wideningNodes } from './forms.ts';
import type { Resolved } from './options.ts';
import { Small } from './small.ts';

/**
 * The opset from which on Cast converts each type to float32; before 6 its attribute was a string. From 7 on, Mul
 * broadcasts scales.
 */
const CAST_OPSET = { float16: 6, bfloat16: 13, int16: 7 } as const;

/** Why factors of angles stay float32. */
const ROTARY: [SkipReason, string] = ['rotary', 'Sin or Cos reads its product with positions, which grows with them'];

/** A float32 weight, and how it is used. */
interface Candidate {
  readonly held: Constant;
  readonly name: string;
  readonly usage: Usage;
}

/** What is known before weights are stored, if the model was converted to compute in float16. */
interface Before {
  readonly fits?: Fits;
  readonly small?: Small;
  /** Tensors that the report has already explained. */
  readonly reported?: { has(tensor: Tensor): boolean };
  /** Biases that were corrected already. */
  readonly biases?: ReadonlySet<Tensor>;
  readonly watch?: Watch | undefined;
}

/**
 * Replaces float32 weights by 16 bits and the nodes that widen them. The value keeps its name, so that no reader
 * changes.
 */
export async function storeHalves(
  model: Model,
  options: Resolved,
  before: Before = {},
): Promise<Pick<PassReport, 'changes' | 'skips' | 'notes'>> {
  const { fits = new Fits(options.dtype === 'int16' ? 'float16' : options.dtype), reported, watch } = before;
  const notes = await raised(model, options);
  const small = before.small ?? new Small(model, options);
  const { biases, notes: corrected } =
    before.biases === undefined
      ? await correctBiases(model, () => storedTensors(model, options, small), fits, options)
      : { biases: before.biases, notes: [] };
  notes.push(...corrected);
  const { candidates, skips, count } = candidatesOf(model, options, small, biases);
  const changes: Change[] = [];
  const made = new Map<Graph, Map<string, { readonly tensors: readonly Tensor[]; readonly nodes: readonly Node[] }>>();
  for (const [index, one] of candidates.entries()) {
    const { held, name, usage } = one;
    const short = await shorten(held, options.dtype, fits);
    watch?.(index + 1, candidates.length);
    if ('reason' in short) {
      if (!reported?.has(held.tensor)) skips.push(skipOf(one, short.reason, short.detail));
      continue;
    }
    const tensors = tensorsOf(short);
    const after = tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const form = `${short.form}${held.graph.isOverridable(name) ? '; no longer a graph input' : ''}`;
    const reads = { nodes: usage.node === '' ? [] : [usage.node], opType: usage.opTypes.join(', ') };
    changes.push({ ...changeOf(name, held.tensor, reads, { after, form }), sqnr: short.sqnr });
    const nodes = wideningNodes(held.graph, short, name);
    if (held.node === undefined) {
      made.set(held.graph, (made.get(held.graph) ?? new Map()).set(name, { tensors, nodes }));
    } else {
      const [data, ...scales] = tensors;
      const kept = held.node.attributes.filter(({ name: key }) => !key.startsWith('value'));
      const attributes = [...kept, attribute.tensor('value', data)];
      const more = scales.map((scale) => constantNode(held.graph, scale));
      held.graph.replaceNode(held.node, { ...held.node, outputs: [data.name], attributes }, ...more, ...nodes);
    }
  }
  for (const [graph, weights] of made) {
    graph.replaceInitializers(new Map([...weights].map(([name, { tensors }]) => [name, tensors])));
    for (const name of weights.keys()) graph.removeInput(name);
    graph.insertFirst(...[...weights.values()].flatMap(({ nodes }) => nodes));
  }
  if (made.size > 0) model.freeInitializers();
  if (count > 0) notes.push(small.note(count));
  return { changes, skips, notes };
}

/** Raises the opset if its Cast does not support the type. */
async function raised(model: Model, { dtype }: Resolved): Promise<string[]> {
  const needed = CAST_OPSET[dtype];
  if (!model.hasOpset || model.opset >= needed) return [];
  const result = await raiseOpset(model, needed);
  if (!result.raised) return [`opset stays ${model.opset}: ${result.reason}`];
  return [`opset raised from ${result.from} to ${result.to}, whose Cast supports ${dtype}`, ...result.notes];
}

/** The weights that {@link storeHalves} would store in 16 bits. */
export function storedTensors(model: Model, options: Resolved, small: Small): Set<Tensor> {
  return new Set(candidatesOf(model, options, small).candidates.map((one) => one.held.tensor));
}

/** The float32 tensors that may become 16 bits, and why others do not; small ones are only counted. */
function candidatesOf(
  model: Model,
  options: Resolved,
  small: Small,
  biases: ReadonlySet<Tensor> = new Set(),
): { readonly candidates: Candidate[]; readonly skips: Skip[]; readonly count: number } {
  const candidates: Candidate[] = [];
  const skips: Skip[] = [];
  let count = 0;
  const angles = new Set([...model.graphs()].flatMap((graph) => [...angleNodes(graph)]));
  for (const graph of model.graphs()) {
    const opset = standardVersion(graph.root.signature?.opsets ?? model.opsets) ?? 0;
    for (const held of heldBy(graph)) {
      if (held.tensor.dtype !== 'float32' || biases.has(held.tensor)) continue;
      if (small.has(held.tensor)) {
        count++;
        continue;
      }
      const one = { held, name: constantName(held), usage: usageOf(held) };
      const why = isFrequency({ graph, name: one.name }, angles) ? ROTARY : refusal(model, one, opset, options);
      if (why === undefined) candidates.push(one);
      else skips.push(skipOf(one, ...why));
    }
  }
  return { candidates, skips, count };
}

function refusal(
  model: Model,
  { held, name, usage }: Candidate,
  opset: number,
  options: Resolved,
): [SkipReason, string] | undefined {
  const { graph } = held;
  const { dtype, opTypes, include, exclude } = options;
  const readers = graph.uses(name).flatMap(({ node }) => (node === undefined ? [] : [node.name]));
  const isNamed = (list: readonly RegExp[]): boolean =>
    list.some((one) => matches(one, [name, ...namesOf(held), ...readers]));
  const left = opTypes !== undefined && !usage.opTypes.some((one) => opTypes.includes(one));
  if (left || (include.length > 0 && !isNamed(include)) || isNamed(exclude)) {
    return ['excluded_by_user', 'excluded by `opTypes`, `include` or `exclude`'];
  }
  if (usage.role === 'scale' || usage.role === 'zero_point') {
    return ['already_quantized', 'it is a quantization scale'];
  }
  if (model.trainingNames.has(name)) return ['used_in_training', 'training_info refers to it by name'];
  if (graph.parent !== undefined && graph.isInput(name)) {
    return ['graph_input', 'it is the initial value of a variable'];
  }
  if (opset < CAST_OPSET[dtype]) {
    return [
      'opset_too_old',
      opset === 0
        ? NO_OPSET
        : `opset ${opset} has no ${dtype === 'int16' ? 'Mul that spreads scales' : `Cast for ${dtype}`}`,
    ];
  }
  return undefined;
}

function skipOf({ held, name, usage }: Candidate, reason: SkipReason, detail: string): Skip {
  return { weight: name, node: usage.node, opType: usage.opTypes.join(', '), ...sizeOf(held), reason, detail };
}
