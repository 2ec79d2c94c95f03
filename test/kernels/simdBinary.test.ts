// Jest's module loader cannot load the compiler (top-level await of its WebAssembly), so it runs in its own process.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { hasSimd, instantiate, setSimd } from '../../src/kernels/simd/load.ts';

it('binary.ts is the compiled assembly/', () => {
  const script = `import { compile, source } from './scripts/build-simd.js';
    process.stdout.write(source(await compile()));`;
  let current: string;
  try {
    current = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  } catch (error) {
    if (String(error).includes('ERR_MODULE_NOT_FOUND')) return; // asc is not installed
    throw error;
  }
  expect(readFileSync('src/kernels/simd/binary.ts', 'utf8')).toBe(current);
});

it('instantiates lazily, each time with its own memory, and not if SIMD is off', () => {
  expect(hasSimd()).toBe(true);
  expect(instantiate()?.memory.buffer).not.toBe(instantiate()?.memory.buffer);
  setSimd(false);
  expect(instantiate()).toBeUndefined();
  setSimd(true);
  expect(instantiate()).toBeDefined();
});
