import { formatBytes } from '../passes/size.ts';

/** Shows progress. `total` is undefined while it is unknown. */
export type Progress = (done: number, total: number | undefined) => void;

/** Redraws per second. */
const FPS = 8;
/** Work shorter than this, in milliseconds, shows no bar. */
const PATIENCE = 500;

/** The unit of progress. */
type Unit = 'times' | 'bytes';

interface Bar {
  update(done: number): void;
  stop(): void;
}

/** Seconds for people; `?` while the speed is unknown, for which cli-progress has words of its own. */
function formatTime(seconds: number | string): string {
  if (typeof seconds === 'string') return '?';
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** The bar now on the terminal. */
let shown: Bar | undefined;

/** How many times bars were removed: a bar that was still loading then must not appear afterwards. */
let ended = 0;

/** Removes the bar before other output. A bar that stays keeps the process alive. */
export function endProgress(): void {
  shown?.stop();
  shown = undefined;
  ended++;
}

/**
 * Shows a bar on a terminal for work of more than half a second, and removes it when the work is done. Shows nothing
 * with --quiet, elsewhere, and on a terminal that cannot return to the start of a line. It changes no setting of the
 * terminal.
 * @param what - one word, e.g. `calibrating`
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
    // A bar needs a total. Other work may have shown its own bar since.
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
    // Loaded only if a bar is needed.
    void import('cli-progress').then(({ default: { SingleBar, Presets } }) => {
      begin = () => {
        const [now, end] = last;
        const format = end === undefined ? `${what} {value}` : `${what} {bar} {value}/{total} | {eta_formatted} left`;
        const formatValue = (value: number, _: object, kind: string): string =>
          unit === 'bytes' && (kind === 'value' || kind === 'total') ? formatBytes(value) : String(value);
        // Lines are cut here, not by the terminal: its setting would remain if the process ended.
        const terminal = { stream, linewrap: true, hideCursor: false, gracefulExit: false };
        const settings = { format, formatValue, formatTime, fps: FPS, clearOnComplete: true, ...terminal };
        const made = new SingleBar(settings, Presets.shades_classic);
        made.start(end ?? Number.MAX_SAFE_INTEGER, now);
        return made;
      };
      if (last[0] !== last[1] && ended === endedBefore) start();
    });
  };
}
