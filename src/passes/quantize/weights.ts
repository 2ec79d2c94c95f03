import type { Graph } from '../../ir/graph.ts';
import { type Model, NO_OPSET } from '../../ir/model.ts';
import type { Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { constantName, dropUnused } from '../../layers/constant.ts';
import { skipUse, type WeightUse } from '../../layers/select.ts';
import type { Skip } from '../../layers/skip.ts';
import { ARITHMETIC_OPSET, PER_AXIS_OPSET } from '../../schemes/opset.ts';
import { floatProducts } from '../../targets/lowbits.ts';
import { DistinctScales } from '../../targets/scales.ts';
import { bringWeights } from '../constants/see.ts';
import type { Watch } from '../pass.ts';
import { timeOnIntegers } from './convs.ts';
import { settleEinsums } from './einsum.ts';
import { readElsewhere } from './elsewhere.ts';
import { Emitter } from './emit.ts';
import { belowFloor } from './floor.ts';
import { Forms, type Rewritten } from './forms.ts';
import { leavesOf } from './leaves.ts';
import type { Ledger } from './ledger.ts';
import { isLow, lookedAt, QUANTIZABLE_OPS, type ResolvedOptions } from './options.ts';
import { isProduct, neededOpset, pays, rowsOf, withinOpset } from './pays.ts';
import { quantizeRecurrent, recurrentWeights, storedRecurrent } from './recurrent.ts';
import { settleReshapes } from './reshapes.ts';
import { refusal, selectWeights, withFloats } from './select.ts';
import { planStorage } from './storage.ts';
import { termsOf } from './terms.ts';
import { tiedTables } from './tied.ts';

/** Uses whose weights are read ahead: enough to keep every thread busy. */
const AHEAD = 16;
/** The form of a stored Conv, for reports. */
const STORED = 'stored in 8 or 16 bits, computed in float as fast as before';

/**
 * Quantizes the weights of the operators in `options.opTypes`, and records the outcome in the ledger.
 * @returns facts about the whole model
 */
export async function quantizeWeights(
  model: Model,
  options: ResolvedOptions,
  ledger: Ledger,
  watch?: Watch,
): Promise<string[]> {
  const opTypes = lookedAt(options);
  const notes = await bringWeights(model, opTypes, 'all');
  await settleReshapes(model, opTypes);
  if (opTypes.includes('MatMul')) settleEinsums(model);
  const settling = withFloats(model, options);
  const selected = (): WeightUse[] => {
    const { uses: leaves, nodes } = leavesOf(model, opTypes);
    const plain = selectWeights(model, settling, ledger, nodes);
    return [...plain, ...chosenLeaves(model, leaves, settling, ledger)];
  };
  let uses = selected();
  let rows = await rowsOf(model, uses);
  const needed = neededOpset(uses, options, rows);
  if (uses.length > 0 && model.opset < needed) {
    const { raiseOpset } = await import('../opset/index.ts');
    const raised = await raiseOpset(model, PER_AXIS_OPSET);
    if (raised.raised) {
      notes.push(`opset raised from ${raised.from} to ${raised.to}, which 8-bit weights with a scale per channel need`);
      notes.push(...raised.notes);
      // Raising the opset replaces nodes, so nodes found before may be gone.
      uses = selected();
      rows = await rowsOf(model, uses);
    } else {
      notes.push(`${model.hasOpset ? `opset stays ${model.opset}: ` : ''}${raised.reason}`);
    }
  }
  if (options.choosing === true) uses = withoutLarger(model, uses, settling, ledger);
  uses = [...uses, ...(await termsOf(model, settling, ledger))];
  const leaves = uses.filter((use) => use.layer !== undefined);
  const { settled, note } = withinOpset(model, options);
  if (note !== undefined && uses.some((use) => isProduct(use) && pays(use, options, rows))) notes.push(note);
  const mixed = settled.weightsOnly && settled.plain !== true && options.target === undefined;
  if (mixed && uses.some((use) => isProduct(use) && pays(use, settled, rows))) notes.push(IN_WEBASSEMBLY);
  const emitter = new Emitter();
  const distinct = options.unread ? new DistinctScales() : await DistinctScales.of(model);
  const tied = model.opset >= PER_AXIS_OPSET ? tiedTables(uses, settled.dtype) : new Set<Tensor>();
  const low = settled.weightsOnly ? [] : uses.filter((use) => belowFloor(use, 'integers', settled.floor) !== undefined);
  for (const use of low) {
    ledger.skip(use.held, skipUse(use, 'low_sqnr', belowFloor(use, 'integers', settled.floor) as string));
  }
  const kept = low.filter((use) => tied.has(use.held.tensor));
  // Arithmetic and products that read the same weight share one copy.
  const inFloat = new Set([...kept, ...leaves].map((use) => use.held.tensor));
  const forms = new Forms(emitter, settled, distinct, { tied, inFloat, rows });
  let convs: WeightUse[] = [];
  if (model.opset >= ARITHMETIC_OPSET) {
    const recurrent = recurrentWeights(model, options, (use) => refusal(model, use, settling), ledger);
    const { stored, others } = forms.storedUses(uses);
    forms.weights.planStored(await planStorage([...stored, ...storedRecurrent(recurrent, options)], others, settled));
    convs = await rewrite(model, uses, forms, ledger, watch);
    await quantizeRecurrent(model, recurrent, options, { emitter, weights: forms.weights }, ledger);
  }
  if (model.opset < ARITHMETIC_OPSET) {
    const detail = model.hasOpset ? `opset ${model.opset} has no Mul that broadcasts a scale` : NO_OPSET;
    for (const use of uses) ledger.skip(use.held, skipUse(use, 'opset_too_old', detail));
  }
  model.freeInitializers();
  if (convs.length > 0) {
    notes.push(`${convs.length} of them of Conv: ${STORED}`);
    // With few bits, data does not change them.
    const open = !options.weightsOnly && !isLow(options);
    if (open) ledger.fact({ kind: 'stored_convs', weights: convs.length, time: timeOnIntegers(convs) });
  }
  return notes;
}

/** The uses, without weights whose floats other nodes read. */
function withoutLarger(model: Model, uses: WeightUse[], options: ResolvedOptions, ledger: Ledger): WeightUse[] {
  const { only: _, aside: __, ...all } = options;
  const kept = readElsewhere([...selectWeights(model, all), ...leavesOf(model, QUANTIZABLE_OPS).uses]);
  const isKept = (use: WeightUse): boolean => kept.has(use.held.tensor);
  for (const use of uses.filter(isKept)) {
    ledger.skip(use.held, skipUse(use, 'no_gain', 'other nodes read its floats, so the file would become larger'));
  }
  return uses.filter((use) => !isKept(use));
}

/** The leaves that become integers; the reasons for the others go to the ledger. */
function chosenLeaves(
  model: Model,
  leaves: readonly WeightUse[],
  options: ResolvedOptions,
  ledger: Ledger,
): WeightUse[] {
  return leaves.filter((use) => {
    const { aside, only } = options;
    if (aside?.has(use.held.tensor) || only?.includes(use.layer?.node.opType ?? '') === false) return false;
    const no = refusal(model, use, options);
    if (no !== undefined) ledger.skip(use.held, no);
    return no === undefined;
  });
}

/** A note for users of the web who chose this form for its size. */
const IN_WEBASSEMBLY =
  `in WebAssembly, products of floats and integers take up to ${floatProducts.value.slower} times as long as float: ` +
  'for the web, leave out `weightsOnly` or give `target: web`';

/** Rewrites the node of a use, or returns why not; may read the next weights ahead. */
export interface Rewriter {
  apply(use: WeightUse): Promise<Rewritten | Skip>;
  begin?(use: WeightUse): void;
  end?(): Promise<void>;
}

/**
 * Rewrites every use, then drops float weights that are no longer read; returns one use of each weight that a Conv
 * reads.
 */
export async function rewrite(
  model: Model,
  uses: readonly WeightUse[],
  forms: Rewriter,
  ledger: Ledger,
  watch?: Watch,
): Promise<WeightUse[]> {
  const done = new Map<Graph, Map<string, WeightUse[]>>();
  let begun = 0;
  try {
    for (const [index, use] of uses.entries()) {
      // Free threads read the next weights while this one is processed.
      for (; begun < Math.min(uses.length, index + AHEAD); begun++) forms.begin?.(uses[begun] as WeightUse);
      const result = await forms.apply(use);
      watch?.(index + 1, uses.length);
      if ('reason' in result) {
        ledger.skip(use.held, result);
        continue;
      }
      ledger.change(use.held, { node: use.layer?.node ?? use.node, ...result });
      const byName = done.get(use.held.graph) ?? new Map<string, WeightUse[]>();
      const name = constantName(use.held);
      done.set(use.held.graph, byName.set(name, [...(byName.get(name) ?? []), use]));
    }
  } finally {
    // After an error: reading must end before the file is closed.
    await forms.end?.();
  }
  const convs: WeightUse[] = [];
  for (const users of [...done.values()].flatMap((one) => [...one.values()])) {
    const [{ held }] = users as [WeightUse];
    const input = held.graph.isInput(constantName(held));
    for (const use of users) for (const node of use.via) dropIfUnread(model, node);
    const dropped = dropUnused(held, model.trainingNames);
    ledger.settle(held, { bytes: dropped ? 0 : held.tensor.byteLength, input });
    convs.push(...users.filter((use) => (use.layer?.node ?? use.node).opType.includes('Conv')).slice(0, 1));
  }
  return convs;
}

/** Removes an Identity, Cast or Transpose whose output nothing reads any more. */
function dropIfUnread(model: Model, node: Node): void {
  const graph = model.graphs().find((one) => one.producer(node.outputs[0] ?? '') === node);
  if (graph !== undefined && graph.uses(node.outputs[0] ?? '').length === 0) graph.removeNode(node);
}
