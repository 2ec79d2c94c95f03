import { isShared } from '../../compute/executor.ts';
import { intAttribute, isOp, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import type { Losses } from '../../kernels/loss.ts';
import { weightAxes } from '../../layers/axes.ts';
import { skipUse, type WeightUse } from '../../layers/select.ts';
import type { Skip } from '../../layers/skip.ts';
import type { Given } from '../../schemes/encode.ts';
import {
  type Encoded,
  type EncodedHalves,
  type EncodedIntegers,
  type IntegerScheme,
  integerScheme,
  PER_TENSOR,
} from '../../schemes/scheme.ts';
import type { StoredForm } from '../../schemes/ways.ts';
import { setSpreadScales } from '../../schemes/write.ts';
import type { DistinctScales } from '../../targets/scales.ts';
import { batchedWeights, batchedZeroPoints, ownWeight } from '../../targets/weights.ts';
import type { Emitter } from './emit.ts';
import { IntegerWeights } from './integers.ts';
import type { ResolvedOptions } from './options.ts';
import { pays, type Rows } from './pays.ts';
import { followingAdd, planProduct, writeProduct } from './product.ts';
import { readerOf, readInstead } from './readers.ts';
import type { StoredUse } from './storage.ts';
import { isTerm, readTermInstead, type TermUse, termRows } from './terms.ts';

/** One use rewritten: bytes it added to the model, and what it is now in a few words. */
export interface Rewritten {
  readonly added: number;
  readonly form: string;
  readonly losses?: Losses | undefined;
  /** Bits per number, if fewer than 8. */
  readonly bits?: number | undefined;
}

/** The planned form of one use, before its weight is read. */
interface Planned<Weight> {
  readonly given: Given;
  /** Axis of the output channels, in the order the weight is stored. */
  readonly axis: number;
  readonly emit: (weight: Weight, bias: string | undefined) => void;
}

/** A weight that is converted to float when the model is loaded. */
interface StoredPlan extends Planned<EncodedIntegers | EncodedHalves> {
  /** Number of leading axes that index rows. */
  readonly rows: number;
  /** The first axis of those from which `axis` has scales of its own; itself if undefined. */
  readonly from?: number;
}

/** A weight whose integers are multiplied or looked up. */
interface IntegerPlan extends Planned<EncodedIntegers> {
  readonly rows?: undefined;
  /** One scale per tensor, whatever the options say. */
  readonly perTensor: boolean;
  /** Its name in reports, if not that of the weight's scheme. */
  readonly form?: string;
  /** Whether each reader needs integers and scale that nobody else reads. */
  readonly alone?: boolean;
  /** Whether its scales may be stored as float16. */
  readonly halved?: boolean;
}

type Plan = StoredPlan | IntegerPlan;

/** Decides the form for each operator and emits it. */
export class Forms {
  readonly #emitter: Emitter;
  readonly #options: ResolvedOptions;
  readonly #tied: ReadonlySet<Tensor>;
  readonly #inFloat: ReadonlySet<Tensor>;
  readonly #rows: Rows;
  readonly #weights: IntegerWeights;

  /**
   * @param known - tied tables, see {@link tiedTables}; those of them whose products stay float; the rows of products
   */
  constructor(
    emitter: Emitter,
    options: ResolvedOptions,
    scales: DistinctScales,
    known: { readonly tied: ReadonlySet<Tensor>; readonly inFloat: ReadonlySet<Tensor>; readonly rows: Rows },
  ) {
    this.#emitter = emitter;
    this.#options = options;
    this.#tied = known.tied;
    this.#inFloat = known.inFloat;
    this.#rows = known.rows;
    this.#weights = new IntegerWeights(options, scales);
  }

  /** Rewrites the node of one use, or returns why not; in that case nothing has changed. */
  async apply(use: WeightUse): Promise<Rewritten | Skip> {
    const plan = this.#plan(use);
    if ('reason' in plan) return plan;
    if (plan.rows !== undefined) {
      const stored = await this.#weights.stored(use, formOf(plan));
      if ('reason' in stored) return stored;
      await this.#emit(use, plan, stored.weight);
      return { added: stored.added, form: storedName(stored.weight), losses: stored.weight.losses };
    }
    const { alone = false, halved = false } = plan;
    const made = await this.#weights.of(use, plan.given, this.#scheme(plan), { alone, halved });
    if ('reason' in made) return made;
    await this.#emit(use, plan, made.weight);
    return { added: made.added, form: plan.form ?? this.#form(made.weight), losses: made.weight.losses };
  }

  /** Writes the nodes, with a bias corrected for the mean error of the weight. */
  async #emit<Weight extends Encoded>(use: WeightUse, plan: Planned<Weight>, weight: Weight): Promise<void> {
    const { correction } = this.#options;
    const write = (bias: string | undefined): void => plan.emit(weight, bias);
    const corrects = correction !== undefined && use.layer === undefined;
    await (!corrects ? write(undefined) : correction.around(use, weight, plan.given.transposed, write));
  }

  /** The uses whose weights are converted to float when the model is loaded, and the tensors also read as integers. */
  storedUses(uses: readonly WeightUse[]): { readonly stored: StoredUse[]; readonly others: ReadonlySet<Tensor> } {
    const stored: StoredUse[] = [];
    const others = new Set<Tensor>();
    for (const use of uses) {
      const plan = this.#plan(use);
      if ('reason' in plan) continue;
      if (plan.rows === undefined) others.add(use.held.tensor);
      else stored.push({ use, ...formOf(plan) });
    }
    return { stored, others };
  }

  /** Has another thread start on the weight of a use that {@link apply} will handle, if there are several threads. */
  begin(use: WeightUse): void {
    if (this.#options.unread || use.held.tensor.stored === undefined || !isShared(use.held.tensor.stored)) return;
    const plan = this.#plan(use);
    if (!('reason' in plan) && plan.rows === undefined) this.#weights.begin(use, plan.given, this.#scheme(plan));
  }

  /** The integer weights it creates. */
  get weights(): IntegerWeights {
    return this.#weights;
  }

  /** Waits until no thread reads a weight any more. */
  end(): Promise<void> {
    return this.#weights.end();
  }

  #plan(use: WeightUse): Plan | Skip {
    const { opType } = use.node;
    if (use.layer !== undefined) return this.#stored(use);
    if (opType === 'Gather') return this.#gather(use);
    if (opType === 'MatMul' || opType === 'Gemm') return this.#linear(use);
    return this.#stored(use);
  }

  #linear(use: WeightUse): Plan | Skip {
    const { node } = use;
    const { length } = use.held.tensor.dims;
    if (this.#isPlain(use) || use.reshaped) return this.#plain(use);
    if (length > 2 && node.opType === 'MatMul' && use.index === 1) {
      return pays(use, this.#options, this.#rows) ? this.#batched(use) : this.#stored(use);
    }
    const tied = this.#tied.has(use.held.tensor);
    const product = planProduct(this.#emitter, use, tied);
    if (product === undefined || !(tied || pays(use, this.#options, this.#rows))) return this.#stored(use);
    const emit = (weight: EncodedIntegers, bias?: string): void => product.emit(weight, this.#options, bias);
    return {
      ...{ given: this.#given(use, product.given), axis: tied ? 0 : 1 },
      ...{ perTensor: false, emit, alone: this.#alone, halved: this.#isHalved(use) },
    };
  }

  /** A MatMul with one matrix per batch: all batches share the scale of a column. */
  #batched(use: WeightUse): Plan {
    const { graph, node, dtype } = use;
    const { dims } = use.held.tensor;
    const x = node.inputs[0] ?? '';
    const planned = { given: this.#given(use), axis: dims.length - 1 };
    if (this.#options.weightsOnly && !batchedWeights.value) {
      const emit: StoredPlan['emit'] = (weight) => {
        const value = this.#emitter.stored(...this.#weights.placeOf(use, graph, node), weight, dtype);
        graph.replaceNode(node, { ...node, inputs: [x, value] });
      };
      return { ...planned, emit, rows: dims.length - 1 };
    }
    const emit: IntegerPlan['emit'] = (weight) => {
      const add = dtype === 'float32' ? followingAdd(graph, node) : undefined;
      writeProduct(this.#emitter, { graph, node, x, dtype }, weight, this.#options, { add });
    };
    const dynamic = !this.#options.weightsOnly;
    return { ...planned, emit, perTensor: this.#options.dtype === 'uint8' && dynamic && !batchedZeroPoints.value };
  }

  #gather(use: WeightUse): IntegerPlan {
    const { graph, node, dtype } = use;
    const rank = use.held.tensor.dims.length;
    const axis = (intAttribute(node, 'axis', 0) + rank) % rank;
    const tied = this.#tied.has(use.held.tensor);
    return {
      given: this.#given(use, { transposed: use.transposed }),
      axis: tied ? 0 : rank - 1,
      perTensor: axis === rank - 1,
      alone: tied && this.#alone,
      halved: this.#isHalved(use),
      emit: (weight) => {
        if (tied && this.#isPlain(use)) setSpreadScales(graph, weight);
        graph.replaceNode(node, ...this.#emitter.embedding(graph, node, weight, dtype));
      },
      form: `${this.#options.dtype} table`,
    };
  }

  /** A weight that is converted to float when the model is loaded, where it is stored: nodes after it stay. */
  #stored(use: WeightUse): StoredPlan | Skip {
    const { node, held } = use;
    const { dims, dtype } = held.tensor;
    if (isTerm(use)) return this.#term(use);
    const free = (use.reshaped || use.layer !== undefined || isOp(node, 'Einsum')) && dims.length > 1;
    const out = free ? 0 : weightAxes(use, dims)?.out;
    if (out === undefined) {
      return skipUse(use, 'unsupported_rank', `its weight is [${dims.join(', ')}]; at least two dims are required`);
    }
    const { graph, reader } = readerOf(use);
    const emit: StoredPlan['emit'] = (weight, bias) => {
      const value = this.#emitter.stored(...this.#weights.placeOf(use, graph, reader), weight, dtype);
      readInstead(use, value, bias);
    };
    return { given: this.#given(use), axis: out, emit, rows: 1 };
  }

  /** A table, converted to float at the start of its graph. */
  #term(use: TermUse): StoredPlan {
    const { graph, tensor } = use.held;
    const emit: StoredPlan['emit'] = (weight) => {
      readTermInstead(use, this.#emitter.stored(graph, graph.nodes[0] as Node, weight, tensor.dtype));
    };
    return { given: this.#given(use), emit, ...termRows(tensor.dims) };
  }

  /** A product that computes in float: for a tied table, it uses the table's integers and row scales. */
  #plain(use: WeightUse): Plan | Skip {
    const stored = this.#stored(use);
    if ('reason' in stored || !this.#tied.has(use.held.tensor)) return stored;
    const { rows: _, ...plan } = stored;
    return { ...plan, perTensor: false };
  }

  /** Whether the products of a weight compute in float, on its dequantized integers. */
  #isPlain({ held }: WeightUse): boolean {
    return this.#options.plain === true || this.#inFloat.has(held.tensor);
  }

  /** Whether the scales of a weight may be float16: a tied table has one for each row, often thousands. */
  #isHalved(use: WeightUse): boolean {
    return this.#tied.has(use.held.tensor) && !this.#isPlain(use) && !this.#alone;
  }

  /** Whether each product needs integers and a scale that no other product and no table reads. */
  get #alone(): boolean {
    return this.#options.weightsOnly && this.#options.plain !== true && ownWeight.value;
  }

  #given({ held: { tensor } }: WeightUse, how: { transposed?: boolean; factor?: number } = {}): Given {
    return { tensor, transposed: false, factor: 1, unread: this.#options.unread, ...how };
  }

  #scheme({ perTensor, axis }: IntegerPlan): IntegerScheme {
    const { dtype, reduceRange } = this.#options;
    const whole = perTensor || this.#options.perTensor;
    return integerScheme(dtype, whole ? PER_TENSOR : { kind: 'channel', axis }, reduceRange);
  }

  #form(weight: EncodedIntegers): string {
    const { weightsOnly, format } = this.#options;
    const kind = weightsOnly ? 'weights only' : format === 'qdq' ? 'dynamic' : 'dynamic, MatMulInteger';
    return `${weight.scheme.name}, ${kind}`;
  }
}

/** The scales of a weight that is converted to float when the model is loaded. */
function formOf({ axis, from, rows }: StoredPlan): Pick<StoredForm, 'coarsest' | 'rows'> {
  return { coarsest: { kind: 'channel', axis, ...(from !== undefined && { from }) }, rows };
}

/** The name of a stored weight's form in reports. */
export function storedName({ scheme }: Encoded): string {
  return `${scheme.name}, weights only`;
}
