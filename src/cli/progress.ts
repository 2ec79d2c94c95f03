/** Shows how far a long work is. `total` undefined: not known yet. */
export type Progress = (done: number, total: number | undefined) => void;

/** Times a second a bar is drawn. */
const FPS = 8;

/**
 * A bar on a terminal, gone when the work is done; elsewhere, and with --quiet, nothing.
 * @param what - in one word, e.g. `calibrating`
 */
export function progress(what: string, quiet: boolean, stream: NodeJS.WriteStream = process.stderr): Progress {
  if (quiet || !stream.isTTY) return () => {};
  let last: readonly [done: number, total: number | undefined] = [0, undefined];
  let bar: { update(done: number): void; setTotal(total: number): void; stop(): void } | undefined;
  let loading = false;
  const show = (): void => {
    const [done, total] = last;
    if (total !== undefined) bar?.setTotal(total);
    bar?.update(done);
    if (done !== total) return;
    bar?.stop();
    bar = undefined;
  };
  return (done, total) => {
    last = [done, total];
    if (loading) return show();
    loading = true;
    // Not loaded before a bar is wanted.
    void import('cli-progress').then(({ default: { SingleBar, Presets } }) => {
      if (last[0] === last[1]) return;
      const format = `${what} {bar} {value}/{total} | {eta_formatted} left`;
      const settings = { format, fps: FPS, clearOnComplete: true, hideCursor: false, stream };
      const made = new SingleBar(settings, Presets.shades_classic);
      made.start(last[1] ?? last[0], last[0]);
      bar = made;
    });
  };
}
