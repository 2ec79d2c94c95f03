import { MessageChannel } from 'node:worker_threads';
import { once } from '../../kernels/once.ts';

/** What is sent into a closed port is dropped. */
const drain = once(() => {
  const { port1 } = new MessageChannel();
  port1.close();
  return port1;
});

/**
 * Frees the memory of an array at once; the array is empty then. Until its garbage collector runs, Node keeps what
 * nothing refers to, and the next array of the same size gets pages that the system has to zero first. That takes
 * longer than copying them.
 */
export function letGo({ buffer }: { readonly buffer: ArrayBufferLike }): void {
  try {
    drain().postMessage(null, [buffer as ArrayBuffer]);
  } catch {
    // Memory that is not Node's own cannot be sent: it is freed when it is collected.
  }
}
