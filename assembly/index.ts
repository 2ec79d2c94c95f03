// The SIMD kernels. AssemblyScript, compiled by scripts/build-simd.js into src/kernels/simd/binary.ts; what each one
// does is written in src/kernels/simd/kernels.ts, and src/kernels/simd/scalar.ts does the same without SIMD.
export * from './range';
export * from './quantize';
export * from './dequantize';
export * from './histogram';
export * from './bracket';
export * from './order';
export * from './zero';
export * from './convert';
export * from './search';
export * from './codes';
export * from './factors';
export * from './columns';
