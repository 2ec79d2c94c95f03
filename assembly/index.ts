// The SIMD kernels, in AssemblyScript. scripts/build-simd.js compiles them into src/kernels/simd/binary.ts.
// src/kernels/simd/kernels.ts documents each one, and src/kernels/simd/scalar.ts does the same without SIMD.
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
