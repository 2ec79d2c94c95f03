import { writeSync } from 'node:fs';
import { removeEmptyFolders } from '../node/files/madeFolders.ts';
import { takeKeptResults } from '../node/files/resultsFolder.ts';
import { removeTemporaries } from '../node/files/sink.ts';
import { endProgress } from './progress.ts';
import { printable } from './text.ts';

/** How to continue a run that was interrupted or failed. */
export function keptNotes(): string[] {
  return takeKeptResults().map(({ path, count }) => {
    const layers = count === 1 ? '1 layer' : `${count} layers`;
    return `${path} has the results of ${layers}: run the same command with --resume ${path} to continue`;
  });
}

/** Removes the bar when a run ends in any way, and unfinished files when it is interrupted. */
export function onSignals(): void {
  // Once, even if there are several runs in this process.
  process.off('exit', endProgress).on('exit', endProgress);
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => {
      endProgress();
      removeTemporaries();
      removeEmptyFolders();
      // Written directly, because the stream may lag and nothing is written after this.
      for (const note of keptNotes()) writeSync(2, `note: ${printable(note)}\n`);
      if (process.platform === 'win32') process.exit(code);
      // Ends by the signal itself: an orderly exit would wait for a pipe or a copy in progress.
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    });
  }
}
