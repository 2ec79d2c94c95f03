import { Writable } from 'node:stream';
import { knownError } from '../../errors.ts';
import { removeResults } from '../../node/files/resultsFolder.ts';
import type { Verb } from '../../options/verbs.ts';
import type { Colors, Command } from '../command.ts';
import { errorWithDashes } from '../dashes.ts';
import type { ErrorJson } from '../json/error.ts';
import { takeReport } from '../json/write.ts';
import type { Streams } from '../pipe.ts';
import { keptNotes } from '../signals.ts';
import type { SingleReport } from './json.ts';

/** One run of a verb, as a worker receives it. */
export interface Task {
  readonly verb: Verb;
  readonly values: object;
  readonly colors: Colors;
  /** Widths of both streams. */
  readonly columns: { readonly stdout: number | undefined; readonly stderr: number | undefined };
}

/** An error in a form that processes can exchange. */
export interface Failure extends ErrorJson {
  /** The stack of a bug in this program. */
  readonly stack?: string | undefined;
}

/** The output of a run, and why it failed. */
export interface Outcome {
  /** Its report, if that is not text; a failed gate has one too. */
  readonly report?: SingleReport | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Sentences about what remains to be done. */
  readonly notes?: readonly string[];
  readonly failure?: Failure;
}

/** Loads a verb that writes to these streams. */
export type Load = (verb: Verb, streams: Streams, colors: Colors) => Promise<Command<object>>;

/** Runs a verb in this process and collects its output. Never throws. */
export async function runTask({ verb, values, colors, columns }: Task, load: Load): Promise<Outcome> {
  const [stdout, stderr] = [kept(columns.stdout), kept(columns.stderr)];
  const streams = {
    get stdin() {
      return process.stdin;
    },
    stdout: stdout.stream,
    stderr: stderr.stream,
  };
  const command = await load(verb, streams, colors);
  try {
    await command.run(values);
    await removeResults();
    return { report: reportOn(stdout.stream), stdout: stdout.text(), stderr: stderr.text() };
  } catch (cause) {
    const failure = failureOf(errorWithDashes(cause, command.table));
    const said = { report: reportOn(stdout.stream), stdout: stdout.text(), stderr: stderr.text() };
    return { ...said, notes: keptNotes(), failure };
  }
}

/** The report of one model. */
function reportOn(stdout: NodeJS.WriteStream): SingleReport | undefined {
  return takeReport(stdout) as SingleReport | undefined;
}

function failureOf(cause: unknown): Failure {
  const known = knownError(cause);
  if (known !== undefined) {
    const { code, where, message, hint } = known;
    return { code, where, message, ...(hint === undefined ? {} : { hint }) };
  }
  const error = cause instanceof Error ? cause : new Error(String(cause));
  return { code: 'internal', where: '', message: error.message, stack: error.stack };
}

/** A stream that collects the text written to it. */
function kept(columns: number | undefined): { readonly stream: NodeJS.WriteStream; text(): string } {
  const parts: string[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _, done) {
      parts.push(String(chunk));
      done();
    },
  });
  // Verbs ask a terminal only for its width.
  return { stream: Object.assign(stream, { columns }) as unknown as NodeJS.WriteStream, text: () => parts.join('') };
}
