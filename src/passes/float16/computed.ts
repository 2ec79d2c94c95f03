import type { Model } from '../../ir/model.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { decibels } from '../../kernels/decibels.ts';
import { constantName } from '../../layers/constant.ts';
import { sizeOf } from '../../layers/select.ts';
import type { Change, Skip } from '../../layers/skip.ts';
import type { ComputedHalf } from '../facts.ts';
import { inlineFunctions, inliningNotes } from '../inline/index.ts';
import { namesOf } from '../pack/weights.ts';
import type { PassReport, Watch } from '../pass.ts';
import { correctBiases } from './biases.ts';
import { changeOf, readsOf } from './change.ts';
import { Fits } from './constants.ts';
import { Naming } from './names.ts';
import type { Resolved } from './options.ts';
import { type KeptReason, type Plan, Planner, typedConstant } from './plan.ts';
import { rewriteNodes } from './rewrite.ts';
import { Small } from './small.ts';
import { storedTensors, storeHalves } from './stored.ts';
import { Types } from './types.ts';
import { type HalfConstant, Weights } from './weights.ts';

/**
 * Makes a model compute in float16 except where float32 is needed: types follow from the model's inputs and constants,
 * each value has one Cast where it is read in the other type, and weights that nodes in float32 read are stored in 16
 * bits.
 */
export async function computeHalves(
  model: Model,
  options: Resolved,
  watch?: Watch,
): Promise<Pick<PassReport, 'changes' | 'skips' | 'notes' | 'facts'>> {
  const inlined = inlineFunctions(model, () => true);
  const fits = new Fits('float16');
  const small = new Small(model, options);
  const planned = async (): Promise<{ types: Types; plan: Plan }> => {
    const types = new Types(model);
    return { types, plan: await new Planner({ model, types, fits, small, options }).plan() };
  };
  const first = await planned();
  const rounded = (): Set<Tensor> => roundedBy(model, first.plan, storedTensors(model, options, small));
  const { biases, notes: corrected } = await correctBiases(model, rounded, fits, options);
  // Nodes with new biases are others.
  const { types, plan } = biases.size > 0 ? await planned() : first;
  const naming = new Naming(model, types, plan, options.io);
  const weights = new Weights(model, naming, fits, options.minElements);
  await weights.bound(plan, types);
  const casts = await rewriteNodes({ model, types, plan, naming, weights, fits, target: options.target });
  const made = await weights.write();
  model.freeInitializers();
  const rest = await storeHalves(model, options, { fits, small, reported: plan.obstacles, biases, watch });
  const fact: ComputedHalf = {
    kind: 'float16',
    nodes: plan.halves.size + naming.absorbed.size,
    kept: plan.kept.size,
    casts,
  };
  return {
    changes: [...(await Promise.all(made.map((one) => halved(one, fits)))), ...rest.changes],
    skips: [...skipsOf(plan), ...rest.skips],
    ...(fact.nodes > 0 && { facts: [fact] }),
    notes: [...inliningNotes(inlined), ...notesOf(plan, fact), ...corrected, ...rest.notes],
  };
}

/** The weights that become float16: those that nodes in float16 read, and those that are stored in 16 bits. */
function roundedBy(model: Model, { halves }: Plan, stored: ReadonlySet<Tensor>): Set<Tensor> {
  const read = [...model.nodes()].flatMap(({ graph, node }) =>
    halves.has(node) ? node.inputs.flatMap((value) => typedConstant(model, graph, value)?.tensor ?? []) : [],
  );
  return new Set([...read, ...stored]);
}

async function halved({ held, data, readers, after }: HalfConstant, fits: Fits): Promise<Change> {
  const { signal, noise } = await fits.rounding(held.tensor);
  const change = changeOf(constantName(held), held.tensor, readsOf(readers), { after, form: data.dtype });
  return { ...change, ...(signal > 0 && { sqnr: decibels(signal, noise) }) };
}

/** Constants that keep a node in float32. */
function skipsOf({ obstacles }: Plan): Skip[] {
  return [...obstacles.values()].map(({ held, node, reason, detail }) => ({
    ...{ weight: constantName(held), node: node.name || (node.outputs[0] ?? ''), opType: node.opType },
    ...{ ...sizeOf(held), reason, detail: `${detail}; ${node.opType} computes in float32` },
  }));
}

/** Why nodes compute in float32. */
const REASONS: Readonly<Record<KeptReason, string>> = {
  calibrated: 'calibrated values exceed half of 65504',
  chain: 'intermediate values may become large, or are angles',
  constant: 'a constant exceeds float16',
  fed: 'few weights, and a model input to read',
  excluded: 'excluded',
  integers: 'computed on integers: positions, sizes, masks',
  operator: 'sequences, branches or integers',
  recurrent: 'a state that would be rounded at each step',
  sum: 'a sum of many values',
  type: 'types are unknown',
};

/** The most nodes named for a reason. */
const NAMED = 5;

function notesOf({ kept }: Plan, { nodes, casts }: ComputedHalf): string[] {
  const computing = `${nodes} ${nodes === 1 ? 'node computes' : 'nodes compute'} in float16`;
  const notes = [`${computing}, with ${casts} ${casts === 1 ? 'Cast' : 'Casts'}`];
  for (const [reason, text] of Object.entries(REASONS)) {
    const all = [...kept].flatMap(([node, one]) => (one === reason ? [node] : []));
    if (all.length === 0) continue;
    const names = namesOf(all);
    const stay = all.length === 1 ? 'node stays' : 'nodes stay';
    const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
    notes.push(`${all.length} ${stay} float32: ${text} (${names.slice(0, NAMED).join(', ')}${more})`);
  }
  return notes;
}
