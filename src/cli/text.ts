/** Makes a text safe for a terminal: names come from the file and may have control characters. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, '\uFFFD');
}

/** `1 weight`, `3 weights`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** `41.3 dB`. */
export function decibels(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? '∞ dB' : '−∞ dB';
  return `${value.toFixed(1)} dB`;
}

const STYLE = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g'); // the colours of chalk

/** A space to break a line at: not one between a number and its unit, or before a factor (`×0.78`). */
const BREAK = / (?!(?<=\d )(?:%|[kMGT]?B|dB|ms|bits?)(?!\w)|×)/;

/**
 * Breaks a line between words so that none is wider than `columns`. The lines after the first are indented by two more
 * spaces. A number stays with its unit.
 */
export function wrap(line: string, columns: number): string[] {
  const indent = /^ */.exec(line)?.[0] ?? '';
  const lines: string[] = [];
  let current = '';
  let width = 0;
  for (const word of line.trimStart().split(BREAK)) {
    const length = word.replace(STYLE, '').length;
    if (width > 0 && width + 1 + length > columns) {
      lines.push(current);
      width = 0;
    }
    if (width === 0) {
      const lead = lines.length === 0 ? indent : `${indent}  `;
      current = lead + word;
      width = lead.length + length;
    } else {
      current += ` ${word}`;
      width += 1 + length;
    }
  }
  return [...lines, current];
}

/** Width of a report that does not go to a terminal, if COLUMNS does not say. */
const COLUMNS = 100;

/** The width of a terminal, or the one that COLUMNS names; undefined for neither. */
export function columnsOf({ columns }: { readonly columns?: number | undefined }): number | undefined {
  const named = process.env['COLUMNS'] ?? '';
  return columns || (/^[1-9]\d{1,3}$/.test(named) ? Number(named) : undefined);
}

/** How wide a report may be. */
export interface Widths {
  /** Width of tables and sentences. */
  readonly columns: number;
  /** Width of the first line, which names files. Without a terminal it is not wrapped, so that it can be searched. */
  readonly head?: number;
}

/** How wide a report on this stream may be. */
export function widthsOf(stream: { readonly columns?: number }): Widths {
  const columns = columnsOf(stream);
  return { columns: columns ?? COLUMNS, head: columns ?? Number.POSITIVE_INFINITY };
}

/** Breaks the first line of a report. */
export function wrapHead(line: string, { columns, head = columns }: Widths): string[] {
  return wrap(line, head);
}
