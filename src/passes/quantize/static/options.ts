import type { ActivationDType } from './qdq.ts';

/** What static quantization does unless told otherwise. */
export const STATIC_DEFAULTS: { readonly activations: ActivationDType; readonly minNodeSqnr: number } = {
  activations: 'uint8',
  minNodeSqnr: 36,
};
