import { element } from './dom.ts';

/** A column of a table: what it says, and by what it is sorted. */
export interface Column<Row> {
  readonly head: string;
  readonly right?: boolean;
  readonly text: (row: Row) => string;
  /** Numbers come first where they are small; null always comes last. */
  readonly order: (row: Row) => number | string | null;
}

/** A table of so many rows can be searched. */
const SEARCHED = 6;

/** A table that sorts by the column whose head is pressed, and again the other way round. */
export function sortable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  choose?: (row: Row) => void,
): HTMLElement {
  const body = element('tbody');
  const search = element('input', { type: 'search', placeholder: 'Search', 'aria-label': 'Search the table' });
  const heads = columns.map(({ head, right }) =>
    element('th', { scope: 'col', ...(right ? { class: 'right' } : {}) }, element('button', { type: 'button' }, head)),
  );
  const lines = new Map(rows.map((row) => [row, lineOf(columns, row, choose === undefined ? undefined : choosing)]));
  function choosing(row: Row): void {
    for (const [other, line] of lines) {
      line.classList.toggle('chosen', other === row);
      line.setAttribute('aria-selected', String(other === row));
    }
    choose?.(row);
  }
  heads.forEach((head, index) => {
    head.querySelector('button')?.addEventListener('click', () => {
      const down = head.getAttribute('aria-sort') === 'ascending';
      for (const other of heads) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const { order } = columns[index] as Column<Row>;
      body.append(...sorted(rows, order, down).map((row) => lines.get(row) as HTMLElement));
    });
  });
  body.append(...lines.values());
  search.addEventListener('input', () => {
    const wanted = (search as HTMLInputElement).value.toLowerCase();
    for (const line of lines.values()) line.hidden = !(line.textContent ?? '').toLowerCase().includes(wanted);
  });
  const [first] = rows;
  if (first !== undefined && choose !== undefined) choosing(first);
  const table = element('table', {}, element('thead', {}, element('tr', {}, ...heads)), body);
  return element(
    'div',
    {},
    ...(rows.length < SEARCHED ? [] : [element('p', {}, search, ` ${rows.length} rows`)]),
    element('div', { class: 'scroll' }, table),
  );
}

function lineOf<Row>(columns: readonly Column<Row>[], row: Row, choose: ((row: Row) => void) | undefined): HTMLElement {
  const cells = columns.map(({ head, right, text }) =>
    element('td', { 'data-head': head, ...(right ? { class: 'right number' } : {}) }, element('bdi', {}, text(row))),
  );
  if (choose === undefined) return element('tr', {}, ...cells);
  const line = element('tr', { class: 'selectable', tabindex: '0', 'aria-selected': 'false' }, ...cells);
  line.addEventListener('click', () => choose(row));
  line.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    choose(row);
  });
  return line;
}

function sorted<Row>(rows: readonly Row[], order: Column<Row>['order'], down: boolean): Row[] {
  return rows.toSorted((a, b) => {
    const [one, other] = [order(a), order(b)];
    if (one === null || other === null) return Number(one === null) - Number(other === null);
    const before = typeof one === 'string' ? one.localeCompare(String(other)) : one - Number(other);
    return down ? -before : before;
  });
}
