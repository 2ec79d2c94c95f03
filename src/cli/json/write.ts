import { JSON_VERSION, type Report } from './documents.ts';
import type { ErrorJson } from './error.ts';

/** What JSON has no numbers for, as texts: whole numbers beyond 2^53, and infinities as Number() and Python read them. */
function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

type Out = Pick<NodeJS.WriteStream, 'write' | 'errored'>;

/** What a run has to say on each stream. */
const reports = new WeakMap<object, Report>();

/** A report that becomes the one document of this run. It is written when the run ends, with the error of a gate in it. */
export function reportJson(out: Out, report: Report): void {
  reports.set(out, report);
}

/** Takes the report of a run that is one of several. */
export function takeReport(out: Out): Report | undefined {
  const report = reports.get(out);
  reports.delete(out);
  return report;
}

/** Writes the document of a run that has a report or an error; nothing of one that has neither. */
export function endJson(out: Out, error?: ErrorJson): void {
  const report = takeReport(out);
  // A full disk under it was said on standard error.
  if ((report === undefined && error === undefined) || out.errored) return;
  const all = { version: JSON_VERSION, ...report, ...(error === undefined ? {} : { error }) };
  out.write(`${JSON.stringify(all, plain, 2)}\n`);
}
