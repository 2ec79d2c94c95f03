import type { Keep } from '../../../activations/results.ts';
import { isShared } from '../../../compute/executor.ts';
import type { Graph } from '../../../ir/graph.ts';
import { isOp } from '../../../ir/node.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import type { Codes, PackedCodes } from '../../../kernels/lowbits/codes.ts';
import type { LowMethod } from '../../../kernels/lowbits/names.ts';
import { constantName } from '../../../layers/constant.ts';
import { skipUse, type WeightUse } from '../../../layers/select.ts';
import type { Skip } from '../../../layers/skip.ts';
import type { MeasuredCodes } from '../../../schemes/codes.ts';
import { writeInt8, writeMultipliers, writeNBits, writeStandard } from '../../../schemes/lowProducts.ts';
import { type LowTable, tableRows, writeFolded, writeTable } from '../../../schemes/lowReals.ts';
import { codesScheme, type LowWeight, type Place, type Written } from '../../../schemes/lowTensors.ts';
import type { NBitsWeight } from '../../../schemes/nbits.ts';
import { type EncodedIntegers, integerScheme } from '../../../schemes/scheme.ts';
import type { Emitter, ProductForm, ProductWeight } from '../emit.ts';
import type { Rewritten } from '../forms.ts';
import { type ProductPlan, planProduct } from '../product.ts';
import { readInstead } from '../readers.ts';
import { type Choice, type Choices, idsRank } from './choose.ts';
import type { Ahead } from './refined.ts';
import { plainCodes } from './search.ts';

/** The settings for writing weights in few bits. */
export interface LowSettings {
  readonly choices: Choices;
  readonly method: LowMethod;
  /** No weight is read, for a plan. */
  readonly unread: boolean;
  readonly keep: Keep | undefined;
  /** How products on 8 bits are written. */
  readonly int8: ProductForm;
  /** Codes precomputed from data. */
  readonly ahead: Ahead;
}

/** Codes of a weight; undefined if it holds NaN or infinity. */
type Found = MeasuredCodes<Codes | PackedCodes> | undefined;

/** A weight in the graph, and its rounding loss. */
interface Made extends Written<Form> {
  readonly losses: Rewritten['losses'];
}

/** Writes weights in few bits, each once for all nodes that read it. */
export class LowForms {
  readonly #emitter: Emitter;
  readonly #settings: LowSettings;
  readonly #made = new Map<Graph, Map<string, Made>>();
  /** Weights whose codes are not being searched yet, in the order of their uses. */
  readonly #coming = new Set<Tensor>();
  readonly #begun = new Map<Tensor, Promise<Found>>();

  constructor(emitter: Emitter, settings: LowSettings) {
    this.#emitter = emitter;
    this.#settings = settings;
  }

  /**
   * Rewrites the node of a use whose weight is among the choices, or returns why not; in that case nothing has changed.
   */
  async apply(use: WeightUse): Promise<Rewritten | Skip> {
    const choice = this.#settings.choices.get(use.held.tensor) as Choice;
    const own = this.#made.get(use.held.graph) ?? new Map<string, Made>();
    const name = constantName(use.held);
    const before = own.get(name);
    const made = before ?? (await this.#make(use, choice));
    if (made === undefined) return skipUse(use, 'non_finite', 'it contains NaN or infinity');
    this.#made.set(use.held.graph, own.set(name, made));
    this.#read(use, choice, made.weight);
    const { bits } = choice.shape;
    const few = bits < 8 ? bits : undefined;
    return { added: before === undefined ? made.added : 0, form: formName(choice), losses: made.losses, bits: few };
  }

  /** Announces a use that {@link apply} will handle: while one weight is written, threads work on the next. */
  begin({ held: { tensor } }: WeightUse): void {
    const { unread, ahead } = this.#settings;
    if (unread || ahead.has(tensor) || tensor.stored === undefined || !isShared(tensor.stored)) return;
    this.#coming.add(tensor);
  }

  /** Waits until no thread reads a weight any more. */
  async end(): Promise<void> {
    await Promise.allSettled(this.#begun.values());
  }

  /** The codes of a weight; meanwhile those of the next one are searched. */
  async #found(tensor: Tensor, choice: Choice): Promise<Found> {
    const found = this.#begun.get(tensor) ?? this.#look(tensor, choice);
    this.#coming.delete(tensor);
    const [next] = this.#coming;
    if (next !== undefined && !this.#begun.has(next)) {
      const codes = this.#look(next, this.#settings.choices.get(next) as Choice);
      // Mark as handled: if this weight fails, nothing awaits the next.
      codes.catch(() => {});
      this.#begun.set(next, codes);
    }
    try {
      return await found;
    } finally {
      this.#begun.delete(tensor);
    }
  }

  async #look(tensor: Tensor, choice: Choice): Promise<Found> {
    const { ahead, method } = this.#settings;
    const plain = method === 'gptq' || method === 'awq' ? 'mse' : method;
    return ahead.get(tensor)?.() ?? plainCodes(tensor, choice, plain);
  }

  /** Connects a node to the new form of its weight. */
  #read(use: WeightUse, { form, tied, shape }: Choice, weight: Form): void {
    const { graph, node, dtype } = use;
    if (typeof weight === 'string') {
      readInstead(use, weight);
    } else if (form === 'table') {
      lookUp(use, weight as LowTable);
    } else if (isOp(node, 'Gather')) {
      if (form === 'nbits') lookUp(use, { ...(weight as NBitsWeight), shape });
      else graph.replaceNode(node, ...this.#emitter.embedding(graph, node, weight as EncodedIntegers, dtype));
    } else {
      const product = form === 'int8' ? this.#settings.int8 : FORMS[form as keyof typeof FORMS];
      const transposed = tied && form === 'multipliers';
      (planProduct(this.#emitter, use, transposed) as ProductPlan).emit(weight as ProductWeight, product);
    }
  }

  async #make(use: WeightUse, choice: Choice): Promise<Made | undefined> {
    const { tensor } = use.held;
    const { unread, keep } = this.#settings;
    const found = unread ? undefined : await this.#found(tensor, choice);
    if (found === undefined && !unread) return undefined;
    const of = constantName(use.held);
    const low: LowWeight = { tensor, of, shape: found?.codes ?? choice.shape, codes: found?.codes, keep };
    const made = await write(low, placeOf(use), choice, use);
    found?.release?.();
    return { ...made, losses: found?.losses };
  }
}

/** The new form of a weight: for a product, as a float value, or as a table. */
type Form = ProductWeight | LowTable | string;

/** Replaces the Gather of a table. */
function lookUp(use: WeightUse, table: LowTable): void {
  const { graph, node, dtype } = use;
  const [output = ''] = node.outputs;
  const ids = { name: node.inputs[1] ?? '', rank: idsRank(use) as number };
  graph.replaceNode(node, tableRows({ graph, anchor: node }, table, ids, dtype, output));
}

/** How the products of each form are written. */
const FORMS: { readonly [form in 'multipliers' | 'nbits' | 'standard']: ProductForm } = {
  multipliers: { format: 'qoperator', weightsOnly: false },
  nbits: { format: 'qdq', weightsOnly: true },
  standard: { format: 'qdq', weightsOnly: true },
};

async function write(
  low: LowWeight,
  place: Place,
  { form, outFirst, tied }: Choice,
  use: WeightUse,
): Promise<Written<Form>> {
  switch (form) {
    case 'multipliers':
      return writeMultipliers(low, place, tied, use.held.tensor.dims);
    case 'nbits':
      return writeNBits(low, place);
    case 'standard':
      return writeStandard(low, place);
    case 'int8':
      return writeInt8(low, place, use.held.tensor.dims);
    case 'table':
      return writeTable(low, place);
    case 'folded': {
      const { dims, dtype } = use.held.tensor;
      return writeFolded(low, place, { dims, dtype, outFirst });
    }
  }
}

/** The name of a weight's form in reports. */
function formName({ form, shape, tied }: Choice): string {
  if (form === 'int8') return integerScheme('int8', { kind: 'channel', axis: 1 }).name;
  return `${codesScheme(shape).name}, ${form}${tied ? ', also a table' : ''}`;
}

/** Where the nodes of a weight are inserted: at its reader, or first in the graph that holds it. */
function placeOf({ graph, node, held, via }: WeightUse): Place {
  const [first = node] = held.graph.nodes;
  if (held.graph !== graph) return { graph: held.graph, anchor: first };
  const readers = held.graph.uses(constantName(held));
  const alone = readers.length === 1 && via.length === 0;
  return { graph, anchor: alone ? node : first };
}
