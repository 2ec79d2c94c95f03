import { isShared } from '../../compute/executor.ts';
import type { DType } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { intAttribute, isOp, type Node } from '../../ir/node.ts';
import { isOutFirst, weightAxes } from '../../layers/axes.ts';
import { gemmParts, scaledBefore, transposeBefore, transposeNode } from '../../layers/gemm.ts';
import { skipUse, type WeightUse } from '../../layers/select.ts';
import type { Skip } from '../../layers/skip.ts';
import type { Given } from '../../schemes/encode.ts';
import { PER_AXIS_OPSET } from '../../schemes/opset.ts';
import { type EncodedIntegers, type IntegerScheme, integerScheme, PER_TENSOR } from '../../schemes/scheme.ts';
import type { DistinctScales } from '../../targets/scales.ts';
import { batchedWeights, batchedZeroPoints, ownWeight } from '../../targets/weights.ts';
import type { Emitter } from './emit.ts';
import { IntegerWeights } from './integers.ts';
import type { ResolvedOptions } from './options.ts';

/** One use rewritten: bytes it added to the model, and what it is now in a few words. */
export interface Rewritten {
  readonly added: number;
  readonly form: string;
}

/** What is to become of one use, before its weight is looked at. */
interface Plan {
  readonly given: Given;
  /** Axis of the output channels, in the order the weight is stored. */
  readonly axis: number;
  /** One scale for all, whatever the options say. */
  readonly perTensor: boolean;
  readonly emit: (weight: EncodedIntegers) => void;
  /** What to call it, where the weight does not tell. */
  readonly form?: string;
  /** Whether each reader needs integers and scale that nobody else reads. */
  readonly alone?: boolean;
}

/** Decides the form for each operator and has it emitted. */
export class Forms {
  readonly #emitter: Emitter;
  readonly #options: ResolvedOptions;
  readonly #opset: number;
  readonly #weights: IntegerWeights;

  constructor(emitter: Emitter, options: ResolvedOptions, opset: number, scales: DistinctScales) {
    this.#emitter = emitter;
    this.#options = options;
    this.#opset = opset;
    this.#weights = new IntegerWeights(options, scales);
  }

  /** Rewrites the node of one use, or tells why not; then nothing has changed. */
  async apply(use: WeightUse): Promise<Rewritten | Skip> {
    const plan = this.#plan(use);
    if ('reason' in plan) return plan;
    const made = await this.#weights.of(use, plan.given, this.#scheme(plan), plan.alone === true);
    if ('reason' in made) return made;
    plan.emit(made.weight);
    return { added: made.added, form: plan.form ?? this.#form(made.weight) };
  }

  /** Has a thread look at the weight of a use that {@link apply} will be asked for, if there are several. */
  begin(use: WeightUse): void {
    if (this.#options.unread || use.held.tensor.stored === undefined || !isShared(use.held.tensor.stored)) return;
    const plan = this.#plan(use);
    if (!('reason' in plan)) this.#weights.begin(use, plan.given, this.#scheme(plan));
  }

  /** Waits until no thread looks at a weight any more. */
  end(): Promise<void> {
    return this.#weights.end();
  }

  #plan(use: WeightUse): Plan | Skip {
    const { opType } = use.node;
    if (opType === 'Gather') return this.#gather(use);
    if (opType === 'MatMul' || opType === 'Gemm') return this.#linear(use);
    return this.#conv(use);
  }

  #linear(use: WeightUse): Plan | Skip {
    const { graph, node, dtype } = use;
    const { tensor } = use.held;
    const { length } = tensor.dims;
    if (length > 2 && node.opType === 'MatMul' && use.index === 1) return this.#batched(use);
    if (length !== 2) {
      return skipUse(use, 'unsupported_rank', `its weight is [${tensor.dims.join(', ')}]; matrices are quantized`);
    }
    const gemm = isOp(node, 'Gemm') ? gemmParts(node) : undefined;
    if (gemm !== undefined && use.index === 0)
      return skipUse(use, 'unsupported_op', 'a Gemm with its weight on the left');
    if (gemm !== undefined && (gemm.alpha === 0 || !Number.isFinite(gemm.alpha))) {
      return skipUse(use, 'unsupported_op', `a Gemm with alpha ${gemm.alpha}`);
    }
    const left = use.index === 0;
    const x = node.inputs[left ? 1 : 0] ?? '';
    const rank = left ? graph.typeOf(x)?.dims?.length : undefined;
    if (left && (rank === undefined || rank === 0)) {
      return skipUse(use, 'unknown_rank', `its weight is on the left, and the file does not tell the rank of '${x}'`);
    }
    const given = this.#given(use, { transposed: isOutFirst(use), factor: gemm?.alpha ?? 1 });
    const emit = (weight: EncodedIntegers): void => {
      if (gemm !== undefined) {
        const a = gemm.transA ? transposeBefore(graph, node, x, 2) : x;
        let c = gemm.c === undefined ? undefined : this.#emitter.toFloat(graph, node, gemm.c, dtype);
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
    return { given, axis: 1, perTensor: false, emit, alone: this.#options.weightsOnly && ownWeight.value };
  }

  /** A MatMul with a matrix for each batch: one scale for a column of all of them. */
  #batched(use: WeightUse): Plan {
    const { graph, node, dtype } = use;
    const { dims } = use.held.tensor;
    const emit = (weight: EncodedIntegers): void => {
      if (this.#options.weightsOnly && !batchedWeights.value) {
        const value = this.#emitter.stored(graph, node, weight, dtype);
        graph.replaceNode(node, { ...node, inputs: [node.inputs[0] ?? '', value] });
      } else {
        const add = dtype === 'float32' ? followingAdd(graph, node) : undefined;
        this.#product(graph, node, node.inputs[0] ?? '', weight, dtype, { add });
      }
    };
    const dynamic = !this.#options.weightsOnly;
    const perTensor = this.#options.dtype === 'uint8' && dynamic && !batchedZeroPoints.value;
    return { given: this.#given(use), axis: dims.length - 1, perTensor, emit };
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
    return {
      given: this.#given(use, { transposed: use.transposed }),
      axis: rank - 1,
      perTensor: axis === rank - 1 || this.#opset < PER_AXIS_OPSET,
      emit: (weight) => graph.replaceNode(node, ...this.#emitter.embedding(graph, node, weight, dtype)),
      form: `${this.#options.dtype} table`,
    };
  }

  #conv(use: WeightUse): Plan | Skip {
    const { graph, node, dtype } = use;
    if (use.transposed) return skipUse(use, 'unsupported_op', 'its weight is transposed on its way');
    const { dims } = use.held.tensor;
    const emit = (weight: EncodedIntegers): void => {
      const value = this.#emitter.stored(graph, node, weight, dtype);
      const inputs = node.inputs.map((input, index) => (index === use.index ? value : input));
      graph.replaceNode(node, { ...node, inputs });
    };
    return { given: this.#given(use), axis: weightAxes(use, dims)?.out ?? 0, perTensor: false, emit };
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
