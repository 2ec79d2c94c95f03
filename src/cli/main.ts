import { readFileSync } from 'node:fs';
import { Chalk } from 'chalk';
import yargs from 'yargs';
import { CompressError } from '../errors.ts';
import { removeTemporaries } from '../io/sink.ts';
import { copyCommand } from './commands/copy.ts';
import { pruneCommand } from './commands/prune.ts';
import { quantizeCommand } from './commands/quantize.ts';
import { printable } from './render.ts';
import { runner } from './run.ts';

/** The command line: parses the arguments, runs the verb and sets the exit code (0 done, 1 model or I/O, 2 usage). */
export async function main(argv: readonly string[]): Promise<void> {
  const streams = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr };
  const color = useColor(process.env, process.stderr.isTTY);
  onSignals();
  const run = runner(streams, color);
  const parser = yargs([...argv])
    .scriptName('compress')
    .usage('$0 <verb> [model.onnx] [options]\n\nMakes ONNX models small and fast, without Python.')
    .command(pruneCommand(run))
    .command(quantizeCommand(run))
    .command(copyCommand(run))
    .completion('completion', 'print a completion script for bash or zsh')
    .example('compress quantize --int8 model.onnx -o small.onnx', 'a quarter of the size')
    .example('compress prune --l1 0.4 model.onnx | compress quantize --int8 > small.onnx', 'verbs form pipelines')
    .epilog('Exit codes: 0 done, 1 the model or a file, 2 the command line.')
    .demandCommand(1, 1, 'Which verb? prune, quantize or copy.', 'One verb at a time: join verbs with a pipe.')
    .recommendCommands()
    .strict()
    .locale('en')
    .parserConfiguration({ 'boolean-negation': false, 'duplicate-arguments-array': true })
    .version(version())
    .alias('help', 'h')
    .wrap(Math.min(process.stdout.columns ?? 100, 120))
    .exitProcess(false)
    .fail((message, cause) => {
      throw cause ?? new CompressError('options', '', message);
    });
  try {
    await parser.parseAsync();
  } catch (cause) {
    report(cause, argv, color);
  }
}

function report(cause: unknown, argv: readonly string[], color: boolean): void {
  const chalk = new Chalk({ level: color ? 1 : 0 });
  const verbose = argv.includes('--verbose') || argv.includes('-v');
  const known = cause instanceof CompressError;
  const message = cause instanceof Error ? cause.message : String(cause);
  const lines = [`${chalk.red('error:')} ${message.split('\n').map(printable).join('\n')}`];
  if (known && cause.hint !== undefined) lines.push(`  ${printable(cause.hint)}`);
  else if (known && cause.code === 'options') lines.push(`  See compress ${verbOf(argv)}--help.`);
  if (!known) lines.push('  This is a bug in onnx-compress: please report it, with --verbose.');
  if (verbose && cause instanceof Error && cause.stack !== undefined) lines.push(cause.stack);
  process.stderr.write(`${lines.join('\n')}\n`);
  process.exitCode = known && cause.code === 'options' ? 2 : 1;
}

function verbOf(argv: readonly string[]): string {
  const verb = argv.find((one) => ['prune', 'quantize', 'copy'].includes(one));
  return verb === undefined ? '' : `${verb} `;
}

/** NO_COLOR (any value) and FORCE_COLOR win over whether standard error is a terminal. See https://no-color.org */
function useColor(env: NodeJS.ProcessEnv, terminal: boolean): boolean {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false;
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0') return true;
  return terminal && env['TERM'] !== 'dumb';
}

/** An interrupted run leaves no half file. */
function onSignals(): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => {
      removeTemporaries();
      process.exit(code);
    });
  }
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
