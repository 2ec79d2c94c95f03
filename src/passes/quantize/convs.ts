import { elementCount } from '../../ir/dtype.ts';
import { isOp } from '../../ir/node.ts';
import { summedAxes } from '../../layers/axes.ts';
import type { WeightUse } from '../../layers/select.ts';
import { type ConvShape, convTimes } from '../../targets/costs.ts';

/** Places of a value whose size neither the file nor the data tells. */
export const SOME_PLACES = 784;

/** What decides the time of a Conv, or of a Gemm: its weight, for so many places of the output. */
export function convShape(use: WeightUse, places: number): ConvShape {
  const { dims } = use.held.tensor;
  const axes = summedAxes(use, dims);
  const [outputs = 1, own = 1] = [dims[axes?.out ?? 0], dims[axes?.in ?? 1]];
  const groups = axes?.groups ?? 1;
  return { places, inputs: own * groups, outputs, taps: elementCount(dims.slice(2)), groups };
}

/** The time that Convs would take on integers, of what they take in float, as far as the shapes of weights tell. */
export function timeOnIntegers(uses: readonly WeightUse[]): number {
  const total = { float: 0, integers: 0 };
  for (const use of uses) {
    const { float, integer } = convTimes(convShape(use, SOME_PLACES));
    total.float += float;
    // ConvTranspose has no kernel for integers, and what would be slower stays as it is.
    total.integers += isOp(use.node, 'Conv') ? Math.min(integer, float) : float;
  }
  return total.float === 0 ? 1 : total.integers / total.float;
}
