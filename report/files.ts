import type { ReportData, ReportSide } from '../src/cli/report/data.ts';
import { bytes, count, element } from './dom.ts';

/** A fact of a file in lines of text; what is long and has no words is broken anywhere. */
interface Fact {
  readonly name: string;
  readonly of: (side: ReportSide) => readonly string[];
  readonly code?: boolean;
}

const FACTS: readonly Fact[] = [
  { name: 'path', of: ({ name }) => [name] },
  { name: 'size', of: ({ bytes: all }) => [`${bytes(all)} (${count(all)} bytes)`] },
  { name: 'SHA-256', of: (side) => side.files.map((one) => digest(side, one)), code: true },
  { name: 'format', of: ({ format }) => [format] },
  { name: 'producer', of: ({ producer }) => [producer === '' ? '–' : producer] },
  { name: 'inputs', of: ({ inputs }) => inputs },
  { name: 'outputs', of: ({ outputs }) => outputs },
  { name: 'nodes', of: ({ nodes }) => [count(nodes)] },
  { name: 'parameters', of: ({ parameters }) => [count(parameters)] },
];

/** A digest, with the name of the file where there are several. */
function digest({ files }: ReportSide, { name, sha256 }: ReportSide['files'][number]): string {
  return files.length === 1 ? sha256 : `${name}: ${sha256}`;
}

/** The two models as files, side by side; a fact that both share is told once. */
export function files({ input, output }: ReportData): HTMLElement[] {
  const lines = (list: readonly string[], code: boolean): HTMLElement[] =>
    list.map((text) => element('div', {}, element(code ? 'code' : 'bdi', {}, text)));
  const rows = FACTS.flatMap(({ name, of, code = false }) => {
    const [before, after] = [of(input), of(output)];
    const head = element('th', { scope: 'row' }, name);
    if (before.join('\n') === after.join('\n')) {
      return [element('tr', {}, head, element('td', { colspan: '2', 'data-head': 'both' }, ...lines(before, code)))];
    }
    const cells = [
      element('td', { 'data-head': 'before' }, ...lines(before, code)),
      element('td', { 'data-head': 'after' }, ...lines(after, code)),
    ];
    return [element('tr', {}, head, ...cells)];
  });
  const heads = ['', 'before', 'after'].map((text) => element('th', { scope: 'col' }, text));
  const head = element('thead', {}, element('tr', {}, ...heads));
  return [element('table', { class: 'files' }, head, element('tbody', {}, ...rows))];
}
