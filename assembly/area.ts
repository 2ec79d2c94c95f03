// The first bytes of the memory, mirrored by src/kernels/simd/kernels.ts; 0 stands for "no array".

/** Four u32 for kernels that have more than one result. */
export const RESULT: usize = 16;
/** Where transposing keeps a tile, 4 KiB, and a selection its notes, 1 KiB: for the time of one call. */
export const SCRATCH: usize = 64;
/** Counters: 32,768 × 4 copies of u32, or 65,536 u32. */
export const HISTOGRAM: usize = 65536;
