import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { once } from '../../kernels/once.ts';

/** So many bytes of arrays may be garbage before it is looked for. */
const SLACK: number = 32 * 2 ** 20;

/** What was left when it was looked for last. */
let needed = 0;

/** V8's own function. */
const collect = once((): (() => void) => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
});

/**
 * Frees large arrays that nothing needs any more. V8 would wait until there is far more garbage; the memory of one
 * layer then lies between that of others, and the system's allocator can use neither again.
 */
export function freeArrays(): void {
  if (process.memoryUsage().arrayBuffers < needed + SLACK) return;
  collect()();
  needed = process.memoryUsage().arrayBuffers;
}
