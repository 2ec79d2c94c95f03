import { fstatSync, statSync } from 'node:fs';
import { prepareFor } from '../node/threads/work.ts';
import { SUMMARIES, VERBS } from '../options/verbs.ts';

/**
 * Starts the command line. Threads take about as long to start as the command line to load: for a large model both
 * begin at once.
 */
export async function start(argv: readonly string[]): Promise<void> {
  if (VERBS.some((verb) => SUMMARIES[verb].computes && argv.includes(verb))) prepareFor(largest(argv));
  const { main } = await import('./main.ts');
  await main(argv);
}

/** Bytes of the largest file among the arguments, of a data file beside one, or of a redirected standard input. */
function largest(argv: readonly string[]): number {
  const paths = argv.filter((one) => !one.startsWith('-')).flatMap((path) => [path, `${path}.data`]);
  return Math.max(...[() => fstatSync(0), ...paths.map((path) => () => statSync(path))].map(sizeOf));
}

/** 0 for what cannot be looked at: whoever opens it will say why. */
function sizeOf(look: () => { readonly size: number }): number {
  try {
    return look().size;
  } catch {
    return 0;
  }
}
