import type { Column } from './table.ts';
import { printable } from './text.ts';

/** A section of a report: rows under column heads. Texts are as in the file; the printer makes them safe. */
export interface Section {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly string[][];
}

/** Maximum number of rows in a comment: a pull request is no place for a thousand nodes. */
const MAX_ROWS = 50;

/** Sections of a report as Markdown, each a table under a heading. */
export function markdownSections(sections: readonly Section[], most: number = MAX_ROWS): string[] {
  return sections.flatMap(({ title, columns, rows }) => {
    const shown = rows.slice(0, most);
    return [
      ...['', `### ${title}`, '', row(columns.map(({ head }) => head))],
      row(columns.map(({ right }) => (right ? '--:' : '---'))),
      ...shown.map((cells) => row(cells.map(escaped))),
      ...(shown.length < rows.length ? ['', `… and ${rows.length - shown.length} more`] : []),
    ];
  });
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** Names come from the file: none may start a table cell, a tag, a link or a mention. */
export function escaped(text: string): string {
  return printable(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replace(/[\\`*_[\]|~#!]/g, '\\$&')
    .replaceAll('@', '@\u200b');
}
