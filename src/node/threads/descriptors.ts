/**
 * Whether a thread can read and write through a descriptor that another one opened. In Deno each thread has descriptors
 * of its own, and a pool that is asleep keeps the process from ending.
 */
export function sharesDescriptors(versions: Readonly<Record<string, string | undefined>> = process.versions): boolean {
  return versions['deno'] === undefined;
}
