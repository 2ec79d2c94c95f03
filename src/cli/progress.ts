import { formatBytes } from '../passes/size.ts';

/** Shows how far a long work is. `total` undefined: not known yet. */
export type Progress = (done: number, total: number | undefined) => void;

/** Times a second a bar is drawn. */
const FPS = 8;
/** Work that is over sooner shows no bar, in milliseconds. */
const PATIENCE = 500;

/** What is counted. */
type Unit = 'times' | 'bytes';

interface Bar {
  update(done: number): void;
  stop(): void;
}

/** The bar that is on the terminal now. */
let shown: Bar | undefined;

/** How often bars were taken away: one that is still being loaded then is not to appear afterwards. */
let ended = 0;

/** Takes the bar away, for what is to be said next. A bar that stays keeps the process alive. */
export function endProgress(): void {
  shown?.stop();
  shown = undefined;
  ended++;
}

/**
 * A bar on a terminal for work of more than half a second, gone when the work is done; elsewhere, on a terminal that
 * cannot go back in a line, and with --quiet, nothing. It changes no setting of the terminal.
 * @param what - in one word, e.g. `calibrating`
 */
export function progress(
  what: string,
  quiet: boolean,
  { unit = 'times', stream = process.stderr }: { unit?: Unit; stream?: NodeJS.WriteStream } = {},
): Progress {
  if (quiet || !stream.isTTY || process.env['TERM'] === 'dumb') return () => {};
  let last: readonly [done: number, total: number | undefined] = [0, undefined];
  let bar: Bar | undefined;
  let begin: (() => Bar) | undefined;
  let loading = false;
  let known = false;
  const begun = performance.now();
  const start = (): void => {
    endProgress();
    known = last[1] !== undefined;
    bar = begin?.();
    shown = bar;
  };
  const show = (): void => {
    const [done, total] = last;
    // Only with a total there is something to fill. Other work may have shown its own bar since.
    const taken = bar !== undefined && bar !== shown;
    if (bar !== undefined && total !== undefined && done !== total && (!known || taken)) start();
    if (bar === shown) bar?.update(done);
    if (done !== total) return;
    if (bar !== undefined && bar === shown) endProgress();
    bar = undefined;
  };
  return (done, total) => {
    last = [done, total];
    if (loading) return show();
    if (performance.now() - begun < PATIENCE) return;
    loading = true;
    const endedBefore = ended;
    // Not loaded before a bar is wanted.
    void import('cli-progress').then(({ default: { SingleBar, Presets } }) => {
      begin = () => {
        const [now, end] = last;
        const format = end === undefined ? `${what} {value}` : `${what} {bar} {value}/{total} | {eta_formatted} left`;
        const formatValue = (value: number, _: object, kind: string): string =>
          unit === 'bytes' && (kind === 'value' || kind === 'total') ? formatBytes(value) : String(value);
        // Lines are cut here, not by the terminal: one that was told to would go on when the process is no more.
        const terminal = { stream, linewrap: true, hideCursor: false, gracefulExit: false };
        const settings = { format, formatValue, fps: FPS, clearOnComplete: true, ...terminal };
        const made = new SingleBar(settings, Presets.shades_classic);
        made.start(end ?? Number.MAX_SAFE_INTEGER, now);
        return made;
      };
      if (last[0] !== last[1] && ended === endedBefore) start();
    });
  };
}
