import type { Sink } from '../bytes/sink.ts';
import type { Place, WriteTarget } from '../bytes/stored.ts';
import { readPlace } from '../node/files/place.ts';
import type { GzipEstimate } from './gzip.ts';

/** A sink that also shows what is written to an estimate, which samples it, and to a consumer of all bytes. */
export function tee(
  sink: Sink,
  estimate: GzipEstimate | undefined,
  all: { add(chunk: Uint8Array): Promise<void> } | undefined,
): Sink {
  if (estimate === undefined && all === undefined) return sink;
  // A consumer of all bytes must see them here, so neither the system nor other threads may copy them.
  const { reserve, refer, clone: _, ...rest } = sink;
  const shown: Sink = {
    ...rest,
    get label() {
      return sink.label;
    },
    async write(chunk) {
      estimate?.add(chunk);
      await all?.add(chunk);
      await sink.write(chunk);
    },
  };
  if (reserve === undefined || all !== undefined || estimate === undefined) return shown;
  const watched = async (byteLength: number): Promise<WriteTarget> => {
    const start = estimate.skip(byteLength);
    return { ...(await reserve.call(sink, byteLength)), watching: { watcher: estimate, start } };
  };
  const referring = async (byteLength: number, placeOf: () => Promise<Place | undefined>): Promise<boolean> => {
    let place: Place | undefined;
    const found = async (): Promise<Place | undefined> => {
      place = await placeOf();
      return place;
    };
    if ((await refer?.call(sink, byteLength, found)) !== true || place === undefined) return false;
    const start = estimate.skip(byteLength);
    for (const piece of estimate.wanted(start, byteLength)) {
      const bytes = new Uint8Array(piece.byteLength);
      await readPlace(place, bytes, piece.start - start, sink.label);
      estimate.show(piece.start, bytes);
    }
    return true;
  };
  return Object.assign(shown, { reserve: watched }, refer === undefined ? {} : { refer: referring });
}
