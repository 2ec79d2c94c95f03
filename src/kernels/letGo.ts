import { once } from './once.ts';

/** Messages to a closed port are dropped. */
const drain = once(() => {
  const { port1 } = new MessageChannel();
  port1.close();
  return port1;
});

/**
 * Frees the memory of an array at once and leaves the array empty, if nothing else shares its memory. Until its garbage
 * collector runs, V8 keeps unreferenced memory, and the next array of the same size gets pages that the system has to
 * zero first. That takes longer than copying the data.
 */
export function letGo({ buffer, byteLength }: ArrayBufferView): void {
  if (buffer.byteLength !== byteLength) return;
  try {
    drain().postMessage(null, [buffer as ArrayBuffer]);
  } catch {
    // Shared memory, and memory that is not V8's own, cannot be transferred; the garbage collector frees it.
  }
}
