import { JSON_VERSION, type Report } from './documents.ts';
import type { ErrorJson } from './error.ts';

/**
 * Values that JSON has no numbers for, as texts: whole numbers beyond 2^53, and infinities as Number() and Python read
 * them.
 */
function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

type Out = Pick<NodeJS.WriteStream, 'write' | 'errored'>;

/** The report of each stream's run. */
const reports = new WeakMap<object, Report>();

/**
 * Sets the report that becomes the only document of this run. It is written at the end of the run, with the error of a
 * gate if one failed.
 */
export function reportJson(out: Out, report: Report): void {
  reports.set(out, report);
}

/** Takes the report of one of several runs. */
export function takeReport(out: Out): Report | undefined {
  const report = reports.get(out);
  reports.delete(out);
  return report;
}

/** Writes the document of a run that has a report or an error. */
export function endJson(out: Out, error?: ErrorJson): void {
  const report = takeReport(out);
  // A full disk was already reported on standard error.
  if ((report === undefined && error === undefined) || out.errored) return;
  const all = { version: JSON_VERSION, ...report, ...(error === undefined ? {} : { error }) };
  out.write(`${JSON.stringify(all, plain, 2)}\n`);
}
