import type { MomentsRequest, SumRequest } from './requests.ts';

/**
 * Items in their order, in batches that take at most `limit` bytes together; an item that takes more is alone in its
 * batch.
 * @param bytesOf - what an item takes
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

/** Bytes that the sums of an answer take. */
export function sumBytes(request: SumRequest | MomentsRequest): number {
  const { what, columns } = request;
  const groups = 'groups' in request ? request.groups : 1;
  return 8 * groups * columns * (what === 'gram' || what === 'moments' ? columns : 1);
}
