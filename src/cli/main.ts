import { Chalk } from 'chalk';
import yargs from 'yargs';
import { type CompressError, ioError, knownError } from '../errors.ts';
import { setPatternTester } from '../layers/pattern.ts';
import { takeLeftoverNotes } from '../node/files/leftovers.ts';
import { removeEmptyFolders } from '../node/files/madeFolders.ts';
import { removeResults } from '../node/files/resultsFolder.ts';
import { boundedTester } from '../node/patterns.ts';
import { kebab, type Option } from '../options/option.ts';
import { TABLES } from '../options/tables.ts';
import { defined } from '../options/values.ts';
import { PROGRAM, SUMMARIES, VERBS, type Verb } from '../options/verbs.ts';
import { answerTo } from './answers.ts';
import { DASH, splitAttached } from './arguments.ts';
import { chosenBy } from './chosen.ts';
import { commandsFor, loadVerb } from './commands/index.ts';
import { COMPLETE } from './completion.ts';
import { exitOf } from './exits.ts';
import { OWN_OPTIONS } from './help.ts';
import { endJson } from './json/write.ts';
import { asCalled, calledAs } from './program.ts';
import { endProgress } from './progress.ts';
import { keptNotes, onSignals } from './signals.ts';
import { columnsOf, printable, wrap } from './text.ts';
import { asOptions, PARSER, usageError } from './usage.ts';

/** The command line: parses the arguments, runs the verb and sets the exit code ({@link EXITS}). */
export async function main(given: readonly string[]): Promise<void> {
  const argv = asOptions(given);
  const streams = {
    // Opened when it is needed: a stream takes over the pipe.
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
  };
  const color = useColor(given, process.stderr.isTTY);
  const colorOut = useColor(given, process.stdout.isTTY);
  const colors = { color, colorOut };
  const report = reporter(argv, color);
  onSignals();
  setPatternTester(boundedTester());
  process.stderr.on('error', () => (process.exitCode ||= 1));
  process.stdout.on('error', (cause: NodeJS.ErrnoException) => {
    // A reader that stops (`--help | head -1`) ends the output silently.
    if (cause.code === 'EPIPE') process.exitCode ||= 1;
    else report(ioError('<stdout>', cause));
  });
  const parser = yargs(normalized(argv))
    .scriptName(calledAs())
    .command(await commandsFor(argv, streams, colors))
    .demandCommand(1, `name a verb: ${VERBS.slice(0, -1).join(', ')} or ${VERBS.at(-1)}`)
    .strict()
    .locale('en')
    .parserConfiguration(PARSER)
    .help(false)
    .version(false)
    .exitProcess(false)
    .fail((message, cause) => {
      throw cause === undefined || cause.name === 'YError'
        ? usageError((message || cause.message).replaceAll(DASH, '-'), argv, optionsOf(argv))
        : cause;
    });
  try {
    const answer = await answerTo(given[0] === COMPLETE ? given : argv, {
      ...{ color: colorOut, columns: columnsOf(process.stdout) },
      load: (verb) => loadVerb(verb, streams, colors),
    });
    if (answer !== undefined) process.stdout.write(answer);
    else await (await chosenBy(() => parser.parseAsync()))?.run();
    await removeResults();
  } catch (cause) {
    report(cause);
  }
  removeEmptyFolders();
  endProgress();
  endJson(process.stdout);
  for (const note of [...keptNotes(), ...takeLeftoverNotes()]) process.stderr.write(`note: ${printable(note)}\n`);
}

/** Prints errors, each message once: a failing standard output is reported by the stream and by its writer. */
function reporter(argv: readonly string[], color: boolean): (cause: unknown) => void {
  const printed = new Set<string>();
  return (cause) => {
    const known = knownError(cause);
    const { message } = known ?? (cause instanceof Error ? cause : new Error(String(cause)));
    if (printed.has(message)) return;
    printed.add(message);
    tell(cause, known, argv, color);
  };
}

function tell(cause: unknown, known: CompressError | undefined, argv: readonly string[], color: boolean): void {
  endProgress();
  const chalk = new Chalk({ level: color ? 1 : 0 });
  const verbose = argv.includes('--verbose') || argv.includes('-v');
  const { message } = known ?? (cause instanceof Error ? cause : new Error(String(cause)));
  const hint = hintOf(known, verbOf(argv));
  // Only this error has several lines, which are already safe; in others, a newline may come from a name.
  const ours = known?.code === 'nothing_to_do';
  const lines = `${chalk.red('error:')} ${ours ? message : printable(message)}`.split('\n');
  if (hint !== undefined) lines.push(`  ${hint}`);
  const columns = columnsOf(process.stderr) ?? Number.POSITIVE_INFINITY;
  const shown = lines.flatMap((line) => wrap(line, columns));
  if (verbose && known?.code !== 'options' && cause instanceof Error)
    shown.push(...(cause.stack ?? '').split('\n').map(printable));
  process.stderr.write(`${shown.join('\n')}\n`);
  const { code = 'internal', where = '' } = known ?? {};
  endJson(process.stdout, wantsJson(argv) ? { code, where, message, ...defined({ hint }) } : undefined);
  process.exitCode = exitOf(code);
}

/** Whether JSON is requested. The command line may be invalid, so nothing has parsed it. */
function wantsJson(argv: readonly string[]): boolean {
  return / --(json|format[= ]json) /.test(` ${argv.join(' ')} `);
}

/**
 * Three things that yargs gets wrong: it turns a lone `-` into an empty text, does not pass what follows `--` to the
 * verb, which is a path even if it starts with a dash, and reads `-oFILE` as five options.
 */
function normalized(argv: readonly string[]): string[] {
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  const verb = verbOf(argv);
  const options = verb === undefined ? [] : Object.values<Option>(TABLES[verb].rows);
  return argv.flatMap((one, index) => {
    if (index > end) return /^-./.test(one) ? `./${one}` : one;
    if (one === '-' && !/^(-\w*o|--output)$/.test(argv[index - 1] ?? '')) return DASH;
    return index === end ? [] : splitAttached(one, options);
  });
}

/** Names of the options that the verb of a command line takes. */
function optionsOf(argv: readonly string[]): string[] {
  const verb = verbOf(argv);
  return [...(verb === undefined ? [] : Object.keys(TABLES[verb].rows).map(kebab)), ...Object.keys(OWN_OPTIONS)];
}

function verbOf(argv: readonly string[]): Verb | undefined {
  return VERBS.find((one) => one === argv.find((other) => !other.startsWith('-')));
}

/** The advice for an error; for data in place of a model, the option of the verb that takes data. */
function hintOf(known: CompressError | undefined, verb: Verb | undefined): string | undefined {
  if (known === undefined) return 'This is a bug in onnx-compress: please report it, with --verbose.';
  const data = known.kind === 'data_file' && verb !== undefined;
  const hint = data ? (SUMMARIES[verb].data ?? 'Give the .onnx file.') : known.hint;
  if (hint !== undefined) return asCalled(printable(hint));
  return known.code === 'options'
    ? asCalled(`See ${PROGRAM} ${verb === undefined ? '' : `${verb} `}--help.`)
    : undefined;
}

/**
 * --no-color and --color take precedence over NO_COLOR (any value) and FORCE_COLOR, and these over whether the stream
 * is a terminal. See https://no-color.org
 */
function useColor(argv: readonly string[], terminal: boolean): boolean {
  const { env } = process;
  if (argv.includes('--no-color')) return false;
  if (argv.includes('--color')) return true;
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false;
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0') return true;
  return terminal && env['TERM'] !== 'dumb';
}
