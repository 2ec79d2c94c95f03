// The first bytes of the memory, mirrored by src/kernels/simd/kernels.ts; 0 stands for "no array".

/** Two u32 for kernels that have more than one result. */
export const RESULT: usize = 16;
/** Where transposing keeps a tile. */
export const SCRATCH: usize = 64;
/** Counters: 32,768 × 4 copies of u32, or 65,536 u32. */
export const HISTOGRAM: usize = 65536;
