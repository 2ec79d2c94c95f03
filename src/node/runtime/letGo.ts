import { MessageChannel } from 'node:worker_threads';
import { once } from '../../kernels/once.ts';

/** Messages to a closed port are dropped. */
const drain = once(() => {
  const { port1 } = new MessageChannel();
  port1.close();
  return port1;
});

/**
 * Frees the memory of an array at once and leaves the array empty. Until its garbage collector runs, Node keeps
 * unreferenced memory, and the next array of the same size gets pages that the system has to zero first. That takes
 * longer than copying the data.
 */
export function letGo({ buffer }: { readonly buffer: ArrayBufferLike }): void {
  try {
    drain().postMessage(null, [buffer as ArrayBuffer]);
  } catch {
    // Memory that is not Node's own cannot be transferred; it is freed by the garbage collector.
  }
}
