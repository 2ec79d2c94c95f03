import { roundHalfEven } from '../linear.ts';
import { asymmetricBase, type Block, type Grid } from './block.ts';

/** The defaults of `optimize_weights_proximal`. */
const [P, BETA, KAPPA, ITERATIONS] = [0.7, 10, 1.01, 20];

/**
 * HQQ: finds a zero point with sparse errors by half-quadratic splitting. Errors are shrunk (the proximal operator of
 * the p-norm), and the zero point is the mean that compensates the rest. The scale stays that of the range. Unlike the
 * original, each block stops when its own mean error grows, and the zero point is rounded at the end, as runtimes
 * require.
 * @see https://mobiusml.github.io/hqq_blog/ and hqq/core/optimize.py in https://github.com/mobiusml/hqq
 */
export function halfQuadraticGrid(block: Block, bits: number): Grid | undefined {
  const most = 2 ** bits - 1;
  const found = asymmetricBase(block, most);
  if (found === undefined) return undefined;
  const { data, start, end } = block;
  const { base, min } = found;
  let zero = roundHalfEven(-min / base);
  let beta = BETA;
  let [best, least] = [zero, Number.POSITIVE_INFINITY];
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    let [errors, next] = [0, 0];
    for (let at = start; at < end; at++) {
      const value = data[at] as number;
      const code = Math.max(0, Math.min(most, roundHalfEven(value / base + zero)));
      const error = value - (code - zero) * base;
      const size = Math.abs(error);
      const shrunk = Math.sign(error) * Math.max(size - (size + 1e-8) ** (P - 1) / beta, 0);
      errors += size;
      next += code - (value - shrunk) / base;
    }
    if (errors >= least) break;
    [best, least] = [zero, errors];
    zero = next / (end - start);
    beta *= KAPPA;
  }
  return { scale: base, zero: Math.max(0, Math.min(most, roundHalfEven(best))) };
}
