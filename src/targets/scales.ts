import { elementCount } from '../ir/dtype.ts';
import type { Model } from '../ir/model.ts';
import { isOp } from '../ir/node.ts';
import { nextUp } from '../kernels/rounded.ts';
import { floats } from '../kernels/views.ts';
import { mergedConstants } from './rewrites.ts';

/**
 * Steps a scale may move: the 66th weight of equal scales shares one again, which costs time in ONNX Runtime and
 * nothing else. Thousands of steps would be felt in the result, and thousands of weights would each search through all
 * before it.
 */
const MOST_STEPS = 64;

/**
 * Keeps small scales apart from every other constant of their shape in the model, so that ONNX Runtime does not merge
 * them: a scale that is taken moves up by the smallest step a float32 can, at most a few parts in ten million.
 */
export class DistinctScales {
  readonly #taken = new Set<string>();
  /** Lists whose next steps are all taken. */
  readonly #crowded = new Set<string>();

  /** Knows the small float constants of a model. */
  static async of(model: Model): Promise<DistinctScales> {
    const scales = new DistinctScales();
    for (const graph of model.graphs()) {
      const constants = graph.nodes
        .filter((node) => isOp(node, 'Constant'))
        .map((node) => graph.constant(node.outputs[0] ?? '')?.tensor);
      for (const tensor of [...graph.initializers.values(), ...constants]) {
        if (tensor?.dtype !== 'float32' || elementCount(tensor.dims) > mergedConstants.value) continue;
        scales.#taken.add(key(floats(await tensor.load()), tensor.dims.length));
      }
    }
    return scales;
  }

  /**
   * Changes the first scale until the list is unlike all others of its rank, where that takes few steps, and remembers
   * it.
   */
  settle(scale: Float32Array, rank: number): void {
    if (scale.length > mergedConstants.value) return;
    const first = scale[0] as number;
    const wanted = key(scale, rank);
    if (this.#crowded.has(wanted)) return;
    for (let step = 0; this.#taken.has(key(scale, rank)); step++) {
      if (step === MOST_STEPS) {
        scale[0] = first;
        this.#crowded.add(wanted);
        return;
      }
      scale[0] = nextUp(scale[0] as number);
    }
    this.#taken.add(key(scale, rank));
  }
}

function key(values: Float32Array, rank: number): string {
  return `${rank}:${values.join(',')}`;
}
