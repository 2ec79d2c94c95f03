import type { Sink } from '../io/sink.ts';
import type { Target } from '../ir/tensor.ts';
import type { GzipEstimate } from './gzip.ts';

/** A sink that shows what is written to an estimate, which looks at some of it, and to someone who takes all. */
export function tee(
  sink: Sink,
  estimate: GzipEstimate | undefined,
  all: { add(chunk: Uint8Array): Promise<void> } | undefined,
): Sink {
  if (estimate === undefined && all === undefined) return sink;
  // Whoever takes all has to see it pass here: no copy by the system, no other threads.
  const { reserve, clone: _, ...rest } = sink;
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
  const watched = async (byteLength: number): Promise<Target> => {
    const start = estimate.skip(byteLength);
    return { ...(await reserve.call(sink, byteLength)), watching: { watcher: estimate, start } };
  };
  return Object.assign(shown, { reserve: watched });
}
