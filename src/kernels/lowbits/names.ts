/** What is written for a weight in fewer than 8 bits. */
export const LOW_FORMS = ['multipliers', 'nbits', 'standard', 'folded'] as const;
export type LowForm = (typeof LOW_FORMS)[number];

/** Where a model is to run; it decides the form. */
export const TARGETS = ['cpu', 'web', 'webgpu', 'mobile'] as const;
export type Target = (typeof TARGETS)[number];

/** How the integers of a weight are found. */
export const LOW_METHODS = ['rtn', 'mse', 'hqq', 'awq', 'gptq'] as const;
export type LowMethod = (typeof LOW_METHODS)[number];

/** The ones that look at activations. */
export const DATA_METHODS: readonly LowMethod[] = ['awq', 'gptq'];
