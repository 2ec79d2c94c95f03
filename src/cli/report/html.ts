import { readFile } from 'node:fs/promises';
import { CompressError, ioError } from '../../errors.ts';
import { kindOf } from '../../node/files/kind.ts';
import { checkTarget } from '../../node/files/sink.ts';
import { writeTextFile } from '../../node/files/textFile.ts';
import type { CommonValues } from '../../options/common.ts';
import { DASH } from '../arguments.ts';
import { refuseOther } from '../output.ts';
import type { ReportData } from './data.ts';

/**
 * The path for the page of `--report`, checked before the work.
 * @throws CompressError `options`, `exists`, `io` if the page cannot be written there
 */
export async function reportTarget(args: CommonValues): Promise<string> {
  const { report: path = '' } = args;
  const wrong = (fact: string, hint: string): CompressError => new CompressError('options', '--report', fact, { hint });
  if (args.dryRun) throw wrong('a dry run writes no files', 'Leave out one of the two; --json reports a dry run.');
  if (path === '' || path === '-' || path === DASH) {
    const fact = path === '' ? 'the file name is empty' : 'the page cannot go to standard output';
    throw wrong(fact, 'Name a file: --report report.html.');
  }
  refuseOther('report', path, args);
  if ((await kindOf(path)) === 'folder') throw wrong(`'${path}' is a folder`, 'Name a file.');
  // A model after --report is a mistake, and with --force the model would be lost.
  if (!/\.html?$/i.test(path))
    throw wrong(`'${path}' does not end in .html`, 'Name an HTML file: --report report.html.');
  await checkTarget(path, args.force === true);
  return path;
}

/** Puts the data into the page. Every `<` in it is escaped, so that no name from a model can end the element. */
export function pageOf(template: string, data: ReportData): string {
  const json = JSON.stringify(data).replaceAll('<', '\\u003c');
  const place = 'id="data">null<';
  if (!template.includes(place)) throw new CompressError('internal', 'report.html', 'has no element for the data');
  return template.replace(place, () => `id="data">${json}<`);
}

/** Writes the page. The file appears only when it is complete. */
export async function writePage(path: string, data: ReportData, overwrite: boolean): Promise<void> {
  const template = new URL('./report.html', import.meta.url);
  const html = await readFile(template, 'utf8').catch((cause: unknown) => {
    throw ioError(template.pathname, cause);
  });
  await writeTextFile(path, pageOf(html, data), { overwrite });
}
