import type { Graph } from '../../../ir/graph.ts';
import type { LowMethod } from '../../../kernels/lowbits/names.ts';
import { constantName } from '../../../layers/constant.ts';
import { skipUse, type WeightUse } from '../../../layers/select.ts';
import type { Skip } from '../../../layers/skip.ts';
import {
  type LowTable,
  type LowWeight,
  type Place,
  tableRows,
  type Written,
  writeFolded,
  writeInt8,
  writeMultipliers,
  writeNBits,
  writeStandard,
  writeTable,
} from '../../../schemes/lowbits.ts';
import { integerScheme } from '../../../schemes/scheme.ts';
import type { Emitter, ProductForm, ProductWeight } from '../emit.ts';
import { type Rewritten, readInstead } from '../forms.ts';
import { type ProductPlan, planProduct } from '../product.ts';
import { type Choice, idsRank } from './choose.ts';
import type { Ahead, Keep } from './refined.ts';
import { plainCodes } from './search.ts';

/** What writing a weight in few bits needs. */
export interface LowSettings {
  readonly method: LowMethod;
  /** No weight is read, for a plan. */
  readonly unread: boolean;
  readonly keep: Keep | undefined;
  /** How products on 8 bits are written. */
  readonly int8: ProductForm;
  /** Codes that data told. */
  readonly ahead: Ahead;
}

/** Writes weights in few bits, each once for all nodes that read it. */
export class LowForms {
  readonly #emitter: Emitter;
  readonly #settings: LowSettings;
  readonly #written = new Map<Graph, Map<string, Promise<Written<Form> | undefined>>>();

  constructor(emitter: Emitter, settings: LowSettings) {
    this.#emitter = emitter;
    this.#settings = settings;
  }

  /** Rewrites the node of one use, or tells why not; then nothing has changed. */
  async apply(use: WeightUse, choice: Choice): Promise<Rewritten | Skip> {
    const { graph } = use.held;
    const own = this.#written.get(graph) ?? new Map<string, Promise<Written<Form> | undefined>>();
    this.#written.set(graph, own);
    const name = constantName(use.held);
    const before = own.get(name);
    const making = before ?? this.#write(use, choice);
    own.set(name, making);
    const made = await making;
    if (made === undefined) return skipUse(use, 'non_finite', 'it holds NaN or infinity');
    if (typeof made.weight === 'string') readInstead(use, made.weight);
    else if ('shape' in made.weight && choice.form === 'table') lookUp(use, made.weight as LowTable);
    else
      (planProduct(this.#emitter, use, false) as ProductPlan).emit(
        made.weight as ProductWeight,
        choice.form === 'int8' ? this.#settings.int8 : FORMS[choice.form as 'nbits'],
      );
    return {
      added: before === undefined ? made.added : 0,
      form: formName(choice),
      losses: this.#losses.get(made),
      bits: fewBits(choice),
    };
  }

  readonly #losses = new Map<object, Rewritten['losses']>();

  async #write(use: WeightUse, choice: Choice): Promise<Written<Form> | undefined> {
    const { tensor } = use.held;
    const { unread, ahead, method, keep } = this.#settings;
    const found = unread
      ? undefined
      : await (ahead.get(tensor)?.() ?? plainCodes(tensor, choice, method === 'gptq' ? 'mse' : method));
    if (found === undefined && !unread) return undefined;
    const of = constantName(use.held);
    const low: LowWeight = { tensor, of, shape: found?.codes ?? choice.shape, codes: found?.codes, keep };
    const made = await write(low, placeOf(use), choice, use);
    this.#losses.set(made, found?.losses);
    return made;
  }
}

/** What a weight became: a product multiplies by it, a node reads it, or its rows are looked up. */
type Form = ProductWeight | LowTable | string;

/** Writes the rows of a table in the place of its Gather. */
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

async function write(low: LowWeight, place: Place, { form, outFirst }: Choice, use: WeightUse): Promise<Written<Form>> {
  switch (form) {
    case 'multipliers':
      return writeMultipliers(low, place);
    case 'nbits':
      return writeNBits(low, place);
    case 'standard':
      return writeStandard(low, place);
    case 'int8':
      return writeInt8(low, place);
    case 'table':
      return writeTable(low, place);
    case 'folded': {
      const { dims, dtype } = use.held.tensor;
      return writeFolded(low, place, { dims, dtype, outFirst });
    }
  }
}

function fewBits({ shape: { bits } }: Choice): number | undefined {
  return bits < 8 ? bits : undefined;
}

/** What a weight is called in reports. */
function formName({ form, shape }: Choice): string {
  const { bits, symmetric, block } = shape;
  if (form === 'int8') return integerScheme('int8', { kind: 'channel', axis: 1 }).name;
  const scheme = integerScheme(`${symmetric ? 'int' : 'uint'}${bits}` as 'int4', {
    kind: 'block',
    axis: 1,
    size: block,
  });
  return `${scheme.name}, ${form}`;
}

/** Where the nodes stand that make a weight: where it is read, or first in the graph that holds it. */
function placeOf({ graph, node, held, via }: WeightUse): Place {
  const [first = node] = held.graph.nodes;
  if (held.graph !== graph) return { graph: held.graph, anchor: first };
  const readers = held.graph.uses(constantName(held));
  const alone = readers.length === 1 && via.length === 0;
  return { graph, anchor: alone ? node : first };
}
