import { writeSync } from 'node:fs';
import { removeEmptyFolders } from '../node/files/madeFolders.ts';
import { takeKeptResults } from '../node/files/resultsFolder.ts';
import { removeTemporaries } from '../node/files/sink.ts';
import { endProgress } from './progress.ts';
import { printable } from './text.ts';

/** How to go on after a run that was interrupted, or failed. */
export function keptNotes(): string[] {
  return takeKeptResults().map(({ path, count }) => {
    const layers = count === 1 ? '1 layer' : `${count} layers`;
    return `${path} has the results of ${layers}: run the same command with --resume ${path} to continue`;
  });
}

/** A run that ends, however it does, leaves no bar, and an interrupted one no half file. */
export function onSignals(): void {
  // Once, however many runs there are in this process.
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
      // Not by the stream, which may lag: nothing comes after this.
      for (const note of keptNotes()) writeSync(2, `note: ${printable(note)}\n`);
      if (process.platform === 'win32') process.exit(code);
      // By the signal itself: leaving in order would wait for whatever reads a pipe or copies a file just now.
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    });
  }
}
