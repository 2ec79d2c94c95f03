/** The default epsilon of BatchNormalization, InstanceNormalization and LayerNormalization: 1e-5 as float32. */
export const DEFAULT_EPSILON: number = Math.fround(1e-5);
