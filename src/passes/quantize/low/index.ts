import { passingResults } from '../../../activations/results.ts';
import type { Constant } from '../../../ir/graph.ts';
import type { Model } from '../../../ir/model.ts';
import type { LowForm } from '../../../kernels/lowbits/names.ts';
import { constantName } from '../../../layers/constant.ts';
import { skipUse, type WeightUse } from '../../../layers/select.ts';
import { LOW_DEFAULT } from '../../../options/lowBits.ts';
import { CONTRIB } from '../../../schemes/nbits.ts';
import { decodeCosts, fastFrom, isDecoded, scalesAfterCast } from '../../../targets/lowbits.ts';
import { bringWeights } from '../../constants/see.ts';
import { settleEinsums } from '../einsum.ts';
import { Emitter } from '../emit.ts';
import { belowFloor } from '../floor.ts';
import { leavesOf } from '../leaves.ts';
import type { Ledger } from '../ledger.ts';
import { lookedAt, type ResolvedOptions } from '../options.ts';
import { rowsOf } from '../pays.ts';
import { settleReshapes } from '../reshapes.ts';
import { selectWeights, withSmallest } from '../select.ts';
import { tiedTables } from '../tied.ts';
import { quantizeWeights, rewrite } from '../weights.ts';
import { scaleInputs } from './awq.ts';
import { type Choices, choose, headOf, neededBy, usesOf } from './choose.ts';
import { eightBitNotes } from './eight.ts';
import { type Refined, refinedCodes, WORTH } from './refined.ts';
import type { LowSources } from './sources.ts';
import { LowForms } from './write.ts';

/**
 * Quantizes the products of a model to few bits and all other weights to 8, and records the outcome in the ledger.
 * @returns facts about the whole model
 */
export async function quantizeLow(
  model: Model,
  options: ResolvedOptions,
  ledger: Ledger,
  { activations, keep: keepFor, results: given, watch, onLayer }: LowSources = {},
): Promise<string[]> {
  const keep = keepFor?.(model);
  const results = given ?? passingResults(keep);
  const notes = await bringWeights(model, lookedAt(options), 'all');
  let settled = withSmallest(model, options);
  const emitter = new Emitter();
  let { choices, note, head } = await chosen(model, settled, emitter);
  if (note !== undefined) notes.push(note);
  const last = head && ledger.nameOf(head);
  const needed = neededBy(choices);
  if (model.opset < needed) {
    const { raiseOpset } = await import('../../opset/index.ts');
    const raised = await raiseOpset(model, needed);
    if (raised.raised) {
      notes.push(`opset raised from ${raised.from} to ${raised.to}, which low-bit weights need`, ...raised.notes);
      // Raising the opset replaces nodes, so nodes found before may be gone.
      ({ choices } = await chosen(model, settled, emitter));
    } else {
      notes.push(
        `${model.hasOpset ? `opset stays ${model.opset}, and all weights keep 8 bits: ` : ''}${raised.reason}`,
      );
      choices = new Map();
    }
  }
  const method = options.method ?? (activations === undefined ? 'mse' : 'gptq');
  const uses = usesOf(selectWeights(model, { ...settled, only: PRODUCTS }), choices);
  // Tied tables are left out: their rows are looked up too, where all elements matter equally.
  const own = uses.filter((use) => choices.get(use.held.tensor)?.tied === false);
  if (method === 'awq' && activations !== undefined) {
    notes.push(awqNote(await scaleInputs(model, own, choices, activations, results)));
    settled = withSmallest(model, options);
    ({ choices } = await chosen(model, settled, emitter));
  }
  const { ahead, changed }: Refined =
    method === 'gptq' && activations !== undefined
      ? await refinedCodes(model, own, choices, activations, { results, onLayer })
      : { ahead: new Map(), changed: new Map() };
  choices = new Map([...choices, ...changed]);
  if (changed.size > 0) notes.push(changedNote(own, changed));
  for (const use of selectWeights(model, { ...settled, only: PRODUCTS })) {
    const fact = belowFloor(use, 'low', settled.floor);
    if (fact !== undefined) ledger.skip(use.held, skipUse(use, 'low_sqnr', fact));
  }
  if (options.others !== 'float') {
    notes.push(...(await quantizeWeights(model, { ...settled, aside: new Set(choices.keys()) }, ledger, watch)));
  }
  const forms = new LowForms(emitter, { choices, method, unread: options.unread === true, keep, ahead, int8: settled });
  const low = usesOf(selectWeights(model, { ...settled, only: [...PRODUCTS, 'Gather'] }), choices);
  await rewrite(model, low, forms, ledger, watch);
  if ([...choices.values()].some(({ form }) => form === 'nbits')) model.addOpset(CONTRIB.domain, CONTRIB.version);
  model.freeInitializers();
  return [
    ...notes,
    ...factsOf(choices, options),
    ...eightBitNotes(ledger.close().changes, last, options),
    ...(ahead.size > 0 ? [`GPTQ chose the codes of ${ahead.size} weights`] : []),
  ];
}

const PRODUCTS = ['MatMul', 'Gemm'] as const;

/** Chooses from the products as they are now. */
async function chosen(
  model: Model,
  options: ResolvedOptions,
  emitter: Emitter,
): Promise<{ choices: Choices; note: string | undefined; head: Constant | undefined }> {
  await settleReshapes(model, lookedAt(options));
  settleEinsums(model);
  // A product and arithmetic that read the same weight share one 8-bit copy.
  const shared = new Set(leavesOf(model, lookedAt(options)).uses.map((use) => use.held.tensor));
  const all = selectWeights(model, options).filter((use) => !shared.has(use.held.tensor));
  const uses = all.filter((use) => (PRODUCTS as readonly string[]).includes(use.node.opType));
  const head = headOf(selectWeights(model, { ...options, choosing: false, smallest: new Set(), minElements: 0 }));
  const known = { tied: tiedTables(all, 'int8'), head: head?.tensor, emitter };
  return { ...choose(all, options, await rowsOf(model, uses), known), head };
}

/** The later of two versions 1.N. */
function later(one: string, other: string): string {
  const [a = 0, b = 0] = [one, other].map((version) => Number(version.split('.')[1]));
  return a < b ? other : one;
}

/** Facts for the report: the forms, from which version on they are fast, and the cost of decoding. */
function factsOf(choices: Choices, { target = LOW_DEFAULT.target }: ResolvedOptions): string[] {
  const notes: string[] = [];
  const byForm = new Map<LowForm, { weights: number; elements: number; since: string }>();
  for (const { form, shape } of choices.values()) {
    if (form === 'int8' || form === 'table') continue;
    const since = fastFrom(form, shape.bits);
    const sum = byForm.get(form) ?? { weights: 0, elements: 0, since };
    byForm.set(form, {
      weights: sum.weights + 1,
      elements: sum.elements + shape.inputs * shape.outputs,
      since: later(sum.since, since),
    });
  }
  for (const [form, { weights, elements, since }] of byForm) {
    const count = weights === 1 ? '1 weight' : `${weights} weights`;
    notes.push(`${count} in the form ${form}: ${SAYS[form]}, from ONNX Runtime ${since} on`);
    if (!isDecoded(form)) continue;
    const { bytes, time, most } = decodeCosts.value;
    const where = target === 'web' ? 'web' : 'cpu';
    const seconds = (elements * time[where]) / 1e9;
    const peak = (elements * bytes[form][where]) / 1e6;
    if (where === 'web' && elements > most[form])
      notes.push(`${elements} of them may not fit the 4 GiB of WebAssembly`);
    if (seconds < 0.1) continue;
    notes.push(`decoding them adds about ${seconds.toFixed(1)} s and ${Math.round(peak)} MB to loading the model`);
  }
  if (byForm.size > 0) {
    notes.push(
      `the graph optimization level must not be "${scalesAfterCast.value}": weights are decoded once, when the ` +
        'model is loaded',
    );
  }
  return notes;
}

function awqNote({ weights, values, absorbed }: Awaited<ReturnType<typeof scaleInputs>>): string {
  const own = values - absorbed;
  const how = own === 0 ? 'all in the preceding operators' : `${absorbed} in the preceding operators, ${own} by a Mul`;
  return `AWQ scaled the columns of ${weights} weights and divided ${values} activations: ${how}`;
}

/** Names the weights that are not stored as multipliers because of the data. */
function changedNote(uses: readonly WeightUse[], changed: Choices): string {
  const held = new Map(uses.map((use) => [use.held.tensor, use.held]));
  const names = [...changed].map(([tensor, { form }]) => `${constantName(held.get(tensor) as Constant)} (${form})`);
  return `stored with a scale per block, at least ${WORTH} dB better than as multipliers: ${names.join(', ')}`;
}

const SAYS: { readonly [form in LowForm]: string } = {
  multipliers: 'decoded to int8 when the model is loaded; products run on integers',
  nbits: 'MatMulNBits, a low-bit kernel of ONNX Runtime',
  standard: 'DequantizeLinear with blocks, fused into MatMulNBits',
  folded: 'decoded to float when the model is loaded; as fast as float',
};
