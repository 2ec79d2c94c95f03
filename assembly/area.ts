// The first bytes of the memory, mirrored by src/kernels/simd/kernels.ts; 0 stands for "no array".

/** Four u32, for kernels with more than one result. */
export const RESULT: usize = 16;
/** Temporary memory of one call: a 4 KiB tile for transposing, or 1 KiB of notes for a selection. */
export const SCRATCH: usize = 64;
/** Counters: 32,768 × 4 copies of u32, or 65,536 u32. */
export const HISTOGRAM: usize = 65536;
