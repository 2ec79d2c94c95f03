import { CompressError } from '../errors.ts';
import type { ResumeValues, SelectionValues, StepValues, StoreValues } from './common.ts';

/** Operators whose weights can be pruned. */
export const PRUNABLE_OPS = ['Gemm', 'MatMul', 'Conv', 'ConvTranspose'] as const;

/** How the importance of channels is measured. */
export type ChannelNorm = 'l1' | 'l2' | 'wanda';
export const CHANNEL_NORMS: readonly ChannelNorm[] = ['l1', 'l2', 'wanda'];

/** Norms, or random order, to rank slices by. */
export const STRUCTURED = ['l1', 'l2', 'linf', 'random'] as const;

/** Defaults of pruning. */
export const PRUNE_DEFAULT = {
  scope: 'tensor',
  of: 'all',
  seed: 0,
  damping: 0.01,
  blockSize: 128,
  roundTo: 8,
} as const;

/** The pruning methods; exactly one is given. */
export interface MethodValues {
  l1?: number | undefined;
  l2?: number | undefined;
  random?: number | undefined;
  structured?: (typeof STRUCTURED)[number] | undefined;
  nm?: string | undefined;
  mask?: string | undefined;
  wanda?: number | undefined;
  sparsegpt?: number | undefined;
  channels?: number | undefined;
}
export type Method = keyof MethodValues;

/** Options of the methods. */
export interface DetailValues extends ResumeValues {
  amount?: number | undefined;
  amounts?: string | undefined;
  axis?: number | 'out' | 'in' | undefined;
  scores?: string | undefined;
  layout?: 'onnx' | 'torch' | undefined;
  scope?: 'tensor' | 'global' | undefined;
  of?: 'all' | 'remaining' | undefined;
  seed?: number | undefined;
  calibrate?: string | undefined;
  samples?: number | undefined;
  batch?: number | undefined;
  parallelLayers?: boolean | undefined;
  damping?: number | undefined;
  blockSize?: number | undefined;
  norm?: ChannelNorm | undefined;
  roundTo?: number | undefined;
  reconstruct?: boolean | undefined;
  normalized?: boolean | undefined;
  allowEmpty?: boolean | undefined;
}
export interface PruneValues extends StepValues, SelectionValues, StoreValues, MethodValues, DetailValues {
  allowUnchanged?: boolean | undefined;
}
/** Refuses options that need another option which is missing. */
export function checkCompany({ seed, structured, layout, scores, mask }: Partial<PruneValues>): void {
  if (seed !== undefined && structured !== undefined && structured !== 'random') {
    const hint = 'It applies to `random` and `structured: random`.';
    throw new CompressError('options', 'seed', `\`structured: ${structured}\` is not random`, { hint });
  }
  if (layout !== undefined && scores === undefined && mask === undefined) {
    const hint = 'It applies to `scores: FILE` and `mask: FILE`.';
    throw new CompressError('options', 'layout', 'no file with arrays is given', { hint });
  }
}
