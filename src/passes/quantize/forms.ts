import { isShared } from '../../compute/executor.ts';
import type { DType } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { intAttribute, isOp, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import type { Losses } from '../../kernels/loss.ts';
import { isOutFirst, weightAxes } from '../../layers/axes.ts';
import { withBias } from '../../layers/bias.ts';
import { gemmParts, scaledBefore, transposeBefore, transposeNode } from '../../layers/gemm.ts';
import { skipUse, type WeightUse } from '../../layers/select.ts';
import type { Skip } from '../../layers/skip.ts';
import type { Given } from '../../schemes/encode.ts';
import { type EncodedIntegers, type IntegerScheme, integerScheme, PER_TENSOR } from '../../schemes/scheme.ts';
import type { DistinctScales } from '../../targets/scales.ts';
import { batchedWeights, batchedZeroPoints, ownWeight } from '../../targets/weights.ts';
import type { Emitter } from './emit.ts';
import { IntegerWeights } from './integers.ts';
import type { ResolvedOptions } from './options.ts';
import { pays, type Rows } from './pays.ts';

/** One use rewritten: bytes it added to the model, and what it is now in a few words. */
export interface Rewritten {
  readonly added: number;
  readonly form: string;
  readonly losses?: Losses | undefined;
}

/** What is to become of one use, before its weight is looked at. */
interface Plan {
  readonly given: Given;
  /** Axis of the output channels, in the order the weight is stored. */
  readonly axis: number;
  /** One scale for all, whatever the options say. */
  readonly perTensor: boolean;
  readonly emit: (weight: EncodedIntegers, bias: string | undefined) => void;
  /** What to call it, where the weight does not tell. */
  readonly form?: string;
  /** Of a weight that is made float when the model is loaded: leading axes whose places are rows. */
  readonly rows?: number;
  /** Whether each reader needs integers and scale that nobody else reads. */
  readonly alone?: boolean;
}

/** Decides the form for each operator and has it emitted. */
export class Forms {
  readonly #emitter: Emitter;
  readonly #options: ResolvedOptions;
  readonly #tied: ReadonlySet<Tensor>;
  readonly #rows: Rows;
  readonly #weights: IntegerWeights;

  /** @param known - tables that are output layers too, see {@link tiedTables}, and the rows of products */
  constructor(
    emitter: Emitter,
    options: ResolvedOptions,
    scales: DistinctScales,
    known: { readonly tied: ReadonlySet<Tensor>; readonly rows: Rows },
  ) {
    this.#emitter = emitter;
    this.#options = options;
    this.#tied = known.tied;
    this.#rows = known.rows;
    this.#weights = new IntegerWeights(options, scales);
  }

  /** Rewrites the node of one use, or tells why not; then nothing has changed. */
  async apply(use: WeightUse): Promise<Rewritten | Skip> {
    const plan = this.#plan(use);
    if ('reason' in plan) return plan;
    const made = await (plan.rows === undefined
      ? this.#weights.of(use, plan.given, this.#scheme(plan), plan.alone === true)
      : this.#weights.stored(use, { coarsest: { kind: 'channel', axis: plan.axis }, rows: plan.rows }));
    if ('reason' in made) return made;
    await this.#emit(use, plan, made.weight);
    const form = plan.rows === undefined ? this.#form(made.weight) : storedForm(made.weight);
    return { added: made.added, form: plan.form ?? form, losses: made.weight.losses };
  }

  /** Writes the nodes, with a bias that takes up the mean error of the weight. */
  async #emit(use: WeightUse, plan: Plan, weight: EncodedIntegers): Promise<void> {
    const { correction } = this.#options;
    const write = (bias: string | undefined): void => plan.emit(weight, bias);
    await (correction === undefined ? write(undefined) : correction.around(use, weight, plan.given.transposed, write));
  }

  /** Has a thread look at the weight of a use that {@link apply} will be asked for, if there are several. */
  begin(use: WeightUse): void {
    if (this.#options.unread || use.held.tensor.stored === undefined || !isShared(use.held.tensor.stored)) return;
    const plan = this.#plan(use);
    if (!('reason' in plan) && plan.rows === undefined) this.#weights.begin(use, plan.given, this.#scheme(plan));
  }

  /** The integers it makes. */
  get weights(): IntegerWeights {
    return this.#weights;
  }

  /** Waits until no thread looks at a weight any more. */
  end(): Promise<void> {
    return this.#weights.end();
  }

  #plan(use: WeightUse): Plan | Skip {
    const { opType } = use.node;
    if (opType === 'Gather') return this.#gather(use);
    if (opType === 'MatMul' || opType === 'Gemm') return this.#linear(use);
    return this.#stored(use);
  }

  #linear(use: WeightUse): Plan | Skip {
    const { graph, node, dtype } = use;
    const { length } = use.held.tensor.dims;
    if (this.#options.plain || use.reshaped) return this.#stored(use);
    if (length > 2 && node.opType === 'MatMul' && use.index === 1) {
      return pays(use, this.#options, this.#rows) ? this.#batched(use) : this.#stored(use);
    }
    const tied = this.#tied.has(use.held.tensor);
    const gemm = isOp(node, 'Gemm') ? gemmParts(node) : undefined;
    const left = use.index === 0;
    const x = node.inputs[left ? 1 : 0] ?? '';
    const rank = left ? graph.typeOf(x)?.dims?.length : undefined;
    const turnable = !left || (gemm === undefined && rank !== undefined && rank > 0);
    const scalable = gemm === undefined || (gemm.alpha !== 0 && Number.isFinite(gemm.alpha));
    if (length !== 2 || !turnable || !scalable || !(tied || pays(use, this.#options, this.#rows)))
      return this.#stored(use);
    const given = this.#given(use, { transposed: !tied && isOutFirst(use), factor: gemm?.alpha ?? 1 });
    const emit = (made: EncodedIntegers, bias?: string): void => {
      const weight = tied ? this.#emitter.transposed(graph, node, made) : made;
      if (gemm !== undefined) {
        const a = gemm.transA ? transposeBefore(graph, node, x, 2) : x;
        const given = bias ?? gemm.c;
        let c = given === undefined ? undefined : this.#emitter.toFloat(graph, node, given, dtype);
        if (c !== undefined && gemm.beta !== 1) c = scaledBefore(graph, node, c, gemm.beta);
        this.#product(graph, node, a, weight, dtype, { added: c });
      } else if (left && (rank as number) > 1) {
        const swapped = transposeBefore(graph, node, x, rank as number);
        const y = graph.uniqueName(`${node.outputs[0]}_swapped`);
        this.#product(graph, node, swapped, weight, dtype, { output: y }, [
          transposeNode(graph, y, node.outputs[0] as string, rank as number),
        ]);
      } else {
        this.#product(graph, node, x, weight, dtype, {
          add: dtype === 'float32' ? followingAdd(graph, node) : undefined,
        });
      }
    };
    return { given, axis: tied ? 0 : 1, perTensor: false, emit, alone: this.#alone };
  }

  /** A MatMul with a matrix for each batch: one scale for a column of all of them. */
  #batched(use: WeightUse): Plan {
    const { graph, node, dtype } = use;
    const { dims } = use.held.tensor;
    const emit = (weight: EncodedIntegers): void => {
      if (this.#options.weightsOnly && !batchedWeights.value) {
        const value = this.#emitter.stored(...this.#weights.placeOf(use, graph, node), weight, dtype);
        graph.replaceNode(node, { ...node, inputs: [node.inputs[0] ?? '', value] });
      } else {
        const add = dtype === 'float32' ? followingAdd(graph, node) : undefined;
        this.#product(graph, node, node.inputs[0] ?? '', weight, dtype, { add });
      }
    };
    const dynamic = !this.#options.weightsOnly;
    const perTensor = this.#options.dtype === 'uint8' && dynamic && !batchedZeroPoints.value;
    const stored = this.#options.weightsOnly && !batchedWeights.value;
    return {
      ...{ given: this.#given(use), axis: dims.length - 1, perTensor, emit },
      ...(stored && { rows: dims.length - 1 }),
    };
  }

  #product(
    graph: Graph,
    node: Node,
    x: string,
    weight: EncodedIntegers,
    dtype: DType,
    how: { added?: string | undefined; output?: string; add?: FollowingAdd | undefined },
    after: readonly Node[] = [],
  ): void {
    const { format, weightsOnly } = this.#options;
    const { add } = how;
    const added = add?.other ?? how.added;
    const output = add?.node.outputs[0] ?? how.output;
    const product = this.#emitter.product(graph, node, x, weight, { format, weightsOnly, dtype, added, output });
    if (add === undefined) {
      graph.replaceNode(node, ...product.main, ...product.end, ...after);
    } else {
      graph.replaceNode(node, ...product.main);
      graph.replaceNode(add.node, ...product.end);
    }
  }

  #gather(use: WeightUse): Plan {
    const { graph, node, dtype } = use;
    const rank = use.held.tensor.dims.length;
    const axis = (intAttribute(node, 'axis', 0) + rank) % rank;
    const tied = this.#tied.has(use.held.tensor);
    return {
      given: this.#given(use, { transposed: use.transposed }),
      axis: tied ? 0 : rank - 1,
      perTensor: axis === rank - 1,
      alone: tied && this.#alone,
      emit: (weight) => graph.replaceNode(node, ...this.#emitter.embedding(graph, node, weight, dtype)),
      form: `${this.#options.dtype} table`,
    };
  }

  /** A weight that is made float when the model is loaded, where it is held: what stands between stays. */
  #stored(use: WeightUse): Plan | Skip {
    const { node, held, index, via } = use;
    const { dims, dtype } = held.tensor;
    const free = (use.reshaped || isOp(node, 'Einsum')) && dims.length > 1;
    const out = free ? 0 : weightAxes(use, dims)?.out;
    if (out === undefined) {
      return skipUse(use, 'unsupported_rank', `its weight is [${dims.join(', ')}]; two dims or more are quantized`);
    }
    const reader = via.at(-1) ?? node;
    const at = via.length > 0 ? 0 : index;
    const graph = graphOf(use, reader);
    const emit = (weight: EncodedIntegers, bias?: string): void => {
      const value = this.#emitter.stored(...this.#weights.placeOf(use, graph, reader), weight, dtype);
      const inputs = reader.inputs.map((one, i) => (i === at ? value : one));
      graph.replaceNode(reader, bias === undefined ? { ...reader, inputs } : withBias({ ...reader, inputs }, bias));
    };
    return { given: this.#given(use), axis: out, perTensor: false, emit, rows: 1 };
  }

  /** Whether each product needs integers and a scale of its own, which no table reads either. */
  get #alone(): boolean {
    return this.#options.weightsOnly && ownWeight.value;
  }

  #given({ held: { tensor } }: WeightUse, how: { transposed?: boolean; factor?: number } = {}): Given {
    return { tensor, transposed: false, factor: 1, unread: this.#options.unread, ...how };
  }

  #scheme({ perTensor, axis }: Plan): IntegerScheme {
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

/** What a weight that is made float when the model is loaded is called in reports. */
export function storedForm({ scheme }: EncodedIntegers): string {
  return `${scheme.name}, weights only`;
}

/**
 * Tables whose rows are looked up and which a product reads as `[out, in]` as well, as language models tie their
 * embedding to their output layer: a scale for each row serves both.
 */
export function tiedTables(uses: readonly WeightUse[], dtype: ResolvedOptions['dtype']): Set<Tensor> {
  const byTensor = new Map<Tensor, WeightUse[]>();
  for (const use of uses) byTensor.set(use.held.tensor, [...(byTensor.get(use.held.tensor) ?? []), use]);
  const tied = new Set<Tensor>();
  if (dtype !== 'int8') return tied;
  for (const [tensor, all] of byTensor) {
    const here = all.every((use) => use.graph === use.held.graph && !use.reshaped);
    const tables = all.filter((use) => isOp(use.node, 'Gather'));
    const products = all.filter((use) => !tables.includes(use));
    const whole = tables.every((use) => !use.transposed && intAttribute(use.node, 'axis', 0) === 0);
    const plain = products.every((use) => isOutFirst(use) && gemmParts(use.node).alpha === 1 && use.index === 1);
    if (here && whole && plain && tables.length > 0 && products.length > 0 && tensor.dims.length === 2)
      tied.add(tensor);
  }
  return tied;
}

/** The graph a node stands in: that of the use, or one around it. */
function graphOf(use: WeightUse, node: Node): Graph {
  let { graph } = use;
  while (graph.parent !== undefined && graph.producer(node.outputs[0] ?? '') !== node) graph = graph.parent;
  return graph;
}

/** An Add that is all that reads a product, and its other side. */
interface FollowingAdd {
  readonly node: Node;
  readonly other: string;
}

function followingAdd(graph: Graph, node: Node): FollowingAdd | undefined {
  const y = node.outputs[0] as string;
  const uses = graph.uses(y);
  const [use] = uses;
  if (uses.length !== 1 || use?.graph !== graph || use.node === undefined || !isOp(use.node, 'Add')) return undefined;
  const other = use.node.inputs[1 - use.index];
  return other === undefined || other === y ? undefined : { node: use.node, other };
}
