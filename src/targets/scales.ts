import { elementCount } from '../ir/dtype.ts';
import type { Model } from '../ir/model.ts';
import { isOp } from '../ir/node.ts';
import { nextUp } from '../kernels/rounded.ts';
import { floats } from '../kernels/views.ts';
import { mergedConstants } from './rewrites.ts';

/**
 * How many steps a scale may move. The 66th weight with equal scales shares one again, which costs only time in ONNX
 * Runtime. Thousands of steps would change the result noticeably, and each of thousands of weights would search through
 * all before it.
 */
const MOST_STEPS = 64;

/**
 * Makes small scales differ from every other constant of their rank in the model, so that ONNX Runtime does not merge
 * them. A scale that is already taken moves up by the smallest steps of float32, at most a few parts in a million.
 */
export class DistinctScales {
  readonly #taken = new Set<string>();
  /** Scales whose next steps are all taken. */
  readonly #crowded = new Set<string>();

  /** Starts with the small float constants of a model. */
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
   * Raises the first scale until the list differs from all others of its rank, and remembers the list; leaves it as it
   * is if that takes too many steps.
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
