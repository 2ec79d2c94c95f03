import { TABLES } from '../options/tables.ts';
import { isVerb, type Verb } from '../options/verbs.ts';
import type { Command } from './command.ts';
import { COMPLETE, completionScript, completionsOf } from './completion.ts';
import { completionHelp, HELP_COLUMNS, programHelp, verbHelp } from './help.ts';

/** What the environment of a command line provides to answer it. */
interface Asked {
  readonly color: boolean;
  /** Width of the terminal; undefined if there is none. */
  readonly columns: number | undefined;
  load(verb: Verb): Promise<Pick<Command<object>, 'verb' | 'usage' | 'table' | 'epilog'>>;
}

/**
 * The answer to a command line that asks for help, the version or a completion script; undefined if it names a verb to
 * run, or is invalid.
 * @throws CompressError `options` for a completion script of an unknown shell
 */
export async function answerTo(argv: readonly string[], { color, columns, load }: Asked): Promise<string | undefined> {
  const [first, second] = argv;
  if (first === COMPLETE) {
    const [, at = '0', ...words] = argv;
    const offered = completionsOf(words.slice(0, Number(at)), words[Number(at)] ?? '');
    return offered.map((one) => `${one}\n`).join('');
  }
  const options = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  if (options.some(asksForHelp)) {
    const verb = options.find((one) => !one.startsWith('-'));
    const look = { color, columns: Math.min(columns || HELP_COLUMNS, HELP_COLUMNS) };
    if (verb === undefined) return programHelp(look);
    if (verb === 'completion') return completionHelp(look);
    return isVerb(verb) ? verbHelp(await load(verb), look) : undefined;
  }
  if (options.includes('--version')) return `${(await import('../node/version.ts')).versionText()}\n`;
  if (first !== 'completion') return undefined;
  return completionScript(second, process.env['SHELL']);
}

/** Letters of options that take no value. */
const FLAGS: ReadonlySet<string | undefined> = new Set(
  Object.values(TABLES).flatMap(({ rows }) =>
    Object.values(rows).flatMap((row) => (row.kind === 'flag' ? (row.alias ?? []) : [])),
  ),
);

/** Whether a word is `--help`, `-h`, or flags of one letter with an `h` among them: `-qh`. */
function asksForHelp(word: string): boolean {
  if (word === '--help') return true;
  const letters = /^-(\w+)$/.exec(word)?.[1] ?? '';
  return letters.includes('h') && [...letters].every((letter) => letter === 'h' || FLAGS.has(letter));
}
