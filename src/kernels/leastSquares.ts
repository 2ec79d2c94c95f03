import { cholesky, solveCholesky } from './cholesky.ts';

/** A linear layer before some of its inputs are removed: `y = W·x + b`, `W` of `outputs × inputs`, row-major. */
export interface Linear {
  readonly outputs: number;
  readonly inputs: number;
  readonly weight: Float32Array;
}

/** Mean moments of a layer's inputs: `E[x]` and `E[x·xᵀ]`. */
export interface InputMoments {
  readonly mean: Float64Array;
  /** Undefined if only the bias is fitted. */
  readonly gram: Float64Array | undefined;
}

/** The layer over its remaining inputs. */
export interface Refitted {
  /** `outputs × kept`. */
  readonly weight: Float32Array;
  /** Added to the bias: `[outputs]`; zeros without a bias. */
  readonly shift: Float64Array;
}

/**
 * The least-squares weights over the kept inputs K, given the removed inputs R:
 *
 * `W' = W_K + W_R·C_RK·(C_KK + λ·I)⁻¹`, `b' = b + W·E[x] − W'·E[x_K]`
 *
 * where `C` is the covariance of the inputs (`E[x·xᵀ]` without a bias), and `λ` a fraction of the mean of its diagonal.
 * With `λ = 0` this is `W·C_·K·C_KK⁻¹`, the solution of the normal equations; a larger `λ` keeps the weights closer to
 * the original ones.
 *
 * @returns undefined if the moments are not finite
 */
export function refit(
  layer: Linear,
  kept: readonly number[],
  moments: InputMoments,
  options: { readonly ridge: number; readonly bias: boolean },
): Refitted | undefined {
  const { outputs, inputs, weight } = layer;
  const { mean, gram } = moments;
  const inKept = new Set(kept);
  const removed = Array.from({ length: inputs }, (_, index) => index).filter((index) => !inKept.has(index));
  const n = kept.length;
  const covariance = (row: number, column: number): number => {
    const second = gram?.[row * inputs + column] ?? 0;
    return options.bias ? second - (mean[row] as number) * (mean[column] as number) : second;
  };
  const factor = gram === undefined ? undefined : factorOf(kept, covariance, options.ridge);
  if (gram !== undefined && factor === undefined) return undefined;
  const made = new Float32Array(outputs * n);
  const shift = new Float64Array(outputs);
  const target = new Float64Array(n);
  for (let output = 0; output < outputs; output++) {
    const at = output * inputs;
    target.fill(0);
    if (factor !== undefined) {
      for (const gone of removed) {
        const w = weight[at + gone] as number;
        if (w === 0) continue;
        for (let j = 0; j < n; j++) target[j] = (target[j] as number) + w * covariance(gone, kept[j] as number);
      }
      solveCholesky(factor, n, target);
    }
    let gain = 0;
    for (const gone of removed) gain += (weight[at + gone] as number) * (mean[gone] as number);
    for (let j = 0; j < n; j++) {
      made[output * n + j] = (weight[at + (kept[j] as number)] as number) + (target[j] as number);
      gain -= (target[j] as number) * (mean[kept[j] as number] as number);
    }
    shift[output] = options.bias ? gain : 0;
  }
  return { weight: made, shift };
}

/** The Cholesky factor of the damped covariance of the kept inputs. */
function factorOf(
  kept: readonly number[],
  covariance: (row: number, column: number) => number,
  ridge: number,
): Float64Array | undefined {
  const n = kept.length;
  const factor = new Float64Array(n * n);
  let trace = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) factor[i * n + j] = covariance(kept[i] as number, kept[j] as number);
    trace += factor[i * n + i] as number;
  }
  const damping = ridge * (trace > 0 ? trace / n : 1);
  for (let i = 0; i < n; i++) factor[i * n + i] = (factor[i * n + i] as number) + damping;
  return cholesky(factor, n) ? factor : undefined;
}
