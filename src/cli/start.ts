import { fstatSync, statSync } from 'node:fs';
import { prepareFor } from '../node/threads/work.ts';
import { SUMMARIES, VERBS } from '../options/verbs.ts';

/**
 * Starts the command line. Threads take about as long to start as the command line takes to load, so for a large model
 * both start at once.
 */
export async function start(argv: readonly string[]): Promise<void> {
  if (VERBS.some((verb) => SUMMARIES[verb].computes && argv.includes(verb))) prepareFor(largest(argv));
  const { main } = await import('./main.ts');
  await main(argv);
}

/**
 * Size in bytes of the largest file among the arguments, of a data file next to one, or of a redirected standard input.
 */
function largest(argv: readonly string[]): number {
  const paths = argv.filter((one) => !one.startsWith('-')).flatMap((path) => [path, `${path}.data`]);
  return Math.max(...[() => fstatSync(0), ...paths.map((path) => () => statSync(path))].map(sizeOf));
}

/** 0 if the file cannot be read: opening it will report why. */
function sizeOf(look: () => { readonly size: number }): number {
  try {
    return look().size;
  } catch {
    return 0;
  }
}
