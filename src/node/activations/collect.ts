import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { once } from '../../kernels/once.ts';

/** Bytes of arrays that may become garbage before a collection. */
const SLACK: number = 32 * 2 ** 20;

/** Bytes in use after the last collection. */
let needed = 0;

/** V8's own collection function. */
const collect = once((): (() => void) => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
});

/**
 * Frees large unused arrays. V8 would wait for much more garbage. The memory of one layer would then lie between that
 * of others, and the system's allocator could reuse neither.
 */
export function freeArrays(): void {
  if (process.memoryUsage().arrayBuffers < needed + SLACK) return;
  collect()();
  needed = process.memoryUsage().arrayBuffers;
}
