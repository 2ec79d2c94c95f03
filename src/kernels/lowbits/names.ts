/** The forms in which a weight of fewer than 8 bits can be written. */
export const LOW_FORMS = ['multipliers', 'nbits', 'standard', 'folded'] as const;
export type LowForm = (typeof LOW_FORMS)[number];

/** Where the model will run; this decides the form. */
export const TARGETS = ['cpu', 'web', 'webgpu', 'mobile'] as const;
export type Target = (typeof TARGETS)[number];

/** How the integers of a weight are chosen. */
export const LOW_METHODS = ['rtn', 'mse', 'hqq', 'awq', 'gptq'] as const;
export type LowMethod = (typeof LOW_METHODS)[number];

/** The methods that need activations. */
export const DATA_METHODS: readonly LowMethod[] = ['awq', 'gptq'];
