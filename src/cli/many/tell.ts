import { Chalk } from 'chalk';
import { defined } from '../../options/values.ts';
import type { PassReport } from '../../passes/pass.ts';
import { formatBytes, formatPercent } from '../../passes/size.ts';
import type { Colors, ReportRow } from '../command.ts';
import { exitOf } from '../exits.ts';
import type { ErrorJson } from '../json/error.ts';
import { reportJson } from '../json/write.ts';
import type { Streams } from '../pipe.ts';
import { asCalled } from '../program.ts';
import { endProgress } from '../progress.ts';
import { table } from '../table.ts';
import { columnsOf, count, printable, widthsOf, wrap } from '../text.ts';
import { zerosOf } from '../verdict.ts';
import type { Job } from './jobs.ts';
import type { ManyEntry, ManyJson, Status, Totals } from './json.ts';
import type { Failure, Outcome } from './task.ts';

/** How to report several models. */
export interface Telling {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Print each report in full. */
  readonly whole: boolean;
  /** Whether reports do not name their model: the path is then printed above each. */
  readonly nameless: boolean;
  /** Whether reports are lines under a header line, which is printed once. */
  readonly csv: boolean;
  readonly verbose: boolean;
  readonly dryRun: boolean;
  readonly row: ReportRow | undefined;
}

/** The sizes in the JSON of a run that writes a model. */
interface Sizes {
  readonly before: number;
  readonly after: number;
  readonly notes?: readonly string[];
  readonly passes?: readonly PassReport[];
}

/** Reports each model when it is done, and the totals at the end. */
export class Teller {
  readonly totals: Totals = { models: 0, done: 0, skipped: 0, failed: 0, before: 0, after: 0 };
  readonly #how: Telling;
  readonly #streams: Pick<Streams, 'stdout' | 'stderr'>;
  readonly #chalk: InstanceType<typeof Chalk>;
  readonly #colors: Colors;
  readonly #rows: string[][] = [];
  readonly #entries: ManyEntry[] = [];
  readonly #exits = new Set<number>();
  /** Whether a report has been written to standard output. */
  #isBegun = false;
  /** Hints that were already printed. */
  readonly #hints = new Set<string>();
  /** How many models each note was about. */
  readonly #notes = new Map<string, number>();

  constructor(how: Telling, streams: Pick<Streams, 'stdout' | 'stderr'>, colors: Colors) {
    this.#how = how;
    this.#streams = streams;
    this.#colors = colors;
    this.#chalk = new Chalk({ level: colors.color ? 1 : 0 });
  }

  /** Reports one model. */
  tell(job: Job, outcome: Outcome): void {
    endProgress();
    const { json, quiet, whole, row } = this.#how;
    const { failure, report } = outcome;
    const status = failure === undefined ? 'done' : SKIPPED.includes(failure.code) ? 'skipped' : 'failed';
    this.totals.models++;
    this.totals[status]++;
    if (failure !== undefined) this.#exits.add(status === 'failed' ? exitOf(failure.code) : 1);
    if (json) this.#entry(job, status, outcome);
    if (whole && !quiet) this.#whole(job, outcome);
    // A failed gate has a report too.
    if (row !== undefined && report !== undefined && !json) this.#rows.push(row.cells(report));
    if (row === undefined && report !== undefined) this.#sizes(job, report as Sizes);
    if (failure !== undefined) this.#failure(job, status, failure);
    if (!quiet) for (const note of outcome.notes ?? []) this.#say(`note: ${printable(note)}`);
  }

  /** Reports the totals. */
  end(copied: readonly string[] | undefined, notes: readonly string[]): void {
    endProgress();
    const { json, quiet, row, dryRun } = this.#how;
    const { totals } = this;
    if (json) {
      const document: ManyJson = { models: this.#entries, totals, ...(copied && { copied }), notes };
      reportJson(this.#streams.stdout, document);
    }
    if (row !== undefined && this.#rows.length > 0 && !quiet) {
      const chalk = new Chalk({ level: this.#colors.colorOut ? 1 : 0 });
      const options = { color: this.#colors.colorOut, verbose: true, ...widthsOf(this.#streams.stdout) };
      this.#streams.stdout.write(`${table(row.heads, this.#rows, options, chalk).join('\n')}\n`);
    }
    if (quiet) return;
    for (const [note, models] of this.#notes) this.#say(`note: ${printable(note)} (${count(models, 'model')})`);
    for (const note of notes) this.#say(`note: ${printable(note)}`);
    const { models, skipped, failed, before, after } = totals;
    const sizes = row !== undefined || totals.done === 0 ? [] : [sizesOf(before, after, this.#chalk)];
    const others = copied === undefined || copied.length === 0 ? [] : [`${count(copied.length, 'other file')} copied`];
    const wrong = [
      ...(skipped > 0 ? [this.#chalk.yellow(`${skipped} skipped`)] : []),
      ...(failed > 0 ? [this.#chalk.red(`${failed} failed`)] : []),
    ];
    const facts = [...sizes, ...others, ...wrong, ...(dryRun ? ['dry run, nothing written'] : [])];
    this.#say(`${this.#chalk.bold(count(models, 'model'))}${facts.length === 0 ? '' : `: ${facts.join(', ')}`}`);
  }

  /** The exit code: if all failed models failed alike, that of a single run; else 1. */
  exit(): number {
    const [first = 0] = this.#exits;
    return this.#exits.size > 1 ? 1 : first;
  }

  /** Whether reports are for people. */
  #isText(): boolean {
    return this.#how.row !== undefined && this.#how.whole && !this.#how.json;
  }

  #entry({ input, output }: Job, status: Status, { failure, report }: Outcome): void {
    this.#entries.push({
      ...{ input, status },
      ...defined({ output, report }),
      ...(failure === undefined ? {} : { error: errorOf(failure) }),
    });
  }

  #whole({ input }: Job, { stdout, stderr }: Outcome): void {
    const text = this.#isText() ? stdout : '';
    if (text !== '') {
      const { nameless, csv } = this.#how;
      if (nameless) this.#streams.stdout.write(`==> ${printable(input)} <==\n`);
      this.#streams.stdout.write(csv && this.#isBegun ? text.slice(text.indexOf('\n') + 1) : text);
      this.#isBegun = true;
    }
    this.#streams.stderr.write(stderr);
  }

  #sizes({ input, output }: Job, { before, after, notes = [], passes = [] }: Sizes): void {
    this.totals.before += before;
    this.totals.after += after;
    for (const note of notes) this.#notes.set(note, (this.#notes.get(note) ?? 0) + 1);
    if (this.#how.quiet || this.#how.whole) return;
    const pruned = zerosOf(passes);
    const zeros = pruned === undefined ? '' : `, ${formatPercent(pruned.zeros, pruned.elements)} zeros`;
    this.#say(`${this.#chalk.bold(printable(output ?? input))}: ${sizesOf(before, after, this.#chalk)}${zeros}`);
  }

  #failure({ input, output }: Job, status: Status, { message, hint, stack }: Failure): void {
    const head = status === 'skipped' ? this.#chalk.yellow('skipped:') : this.#chalk.red('error:');
    const named = [input, output].some((path) => path !== undefined && message.startsWith(path));
    const about = named ? message : `${input}: ${message}`;
    // A model that did not change says why, one line per reason.
    const [first = '', ...more] = about.split('\n');
    this.#say(`${head} ${printable(first)}`);
    if (this.#how.verbose) for (const line of [...more, ...(stack?.split('\n') ?? [])]) this.#say(printable(line));
    if (hint === undefined || this.#hints.has(hint)) return;
    this.#hints.add(hint);
    this.#say(`  ${asCalled(printable(hint))}`);
  }

  #say(line: string): void {
    const columns = columnsOf(this.#streams.stderr) ?? Number.POSITIVE_INFINITY;
    this.#streams.stderr.write(`${wrap(line, columns).join('\n')}\n`);
  }
}

/** An error without its stack. */
function errorOf({ stack, ...error }: Failure): ErrorJson {
  return error;
}

/** Errors after which a model counts as skipped, not as failed. */
const SKIPPED: readonly string[] = ['exists', 'nothing_to_do'];

function sizesOf(before: number, after: number, chalk: InstanceType<typeof Chalk>): string {
  return `${formatBytes(before)} → ${chalk.bold(formatBytes(after))} (${formatPercent(after, before)})`;
}
