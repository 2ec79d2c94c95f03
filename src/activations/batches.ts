import type { MomentsRequest, SumRequest } from './requests.ts';

/**
 * Groups items, in order, into batches of at most `limit` bytes. A larger item becomes a batch of its own.
 * @param bytesOf - size of an item in bytes
 */
export function batches<T>(items: Iterable<T>, bytesOf: (item: T) => number, limit: number): T[][] {
  const made: T[][] = [];
  let room = 0;
  for (const item of items) {
    const bytes = bytesOf(item);
    if (made.length === 0 || bytes > room) {
      made.push([]);
      room = limit;
    }
    made.at(-1)?.push(item);
    room -= bytes;
  }
  return made;
}

/** Size in bytes of the sums that answer a request. */
export function sumBytes(request: SumRequest | MomentsRequest): number {
  const { what, columns } = request;
  const groups = 'groups' in request ? request.groups : 1;
  return 8 * groups * columns * (what === 'gram' || what === 'moments' ? columns : 1);
}
