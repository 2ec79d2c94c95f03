import { element } from './dom.ts';

/** A column of a table: what it says, and by what it is sorted. */
export interface Column<Row> {
  readonly head: string;
  readonly right?: boolean;
  readonly text: (row: Row) => string;
  /** Numbers come first where they are small; null always comes last. */
  readonly order: (row: Row) => number | string | null;
  /** Sorted from the largest down at first. */
  readonly down?: boolean;
}

/** What a table does beside showing rows. */
export interface TableOptions<Row> {
  /** Head of the column it is sorted by at first; the order of the rows where absent. */
  readonly by?: string;
  /** What is shown below a row that is pressed; the first row is so from the beginning. */
  readonly detail?: (row: Row) => readonly Node[];
}

/** A table of so many rows can be searched. */
const SEARCHED = 6;
/** Rows that are shown before somebody asks for all of them. */
const SHOWN = 25;

/** A table that sorts by the column whose head is pressed, and again the other way round. */
export function sortable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: TableOptions<Row> = {},
): HTMLElement {
  const { by, detail } = options;
  const body = element('tbody');
  const below = element('tr', { class: 'detail' });
  const heads = columns.map(({ head, right }) =>
    element('th', { scope: 'col', ...(right ? { class: 'right' } : {}) }, element('button', { type: 'button' }, head)),
  );
  const lines = new Map(rows.map((row) => [row, lineOf(columns, row, detail === undefined ? undefined : choose)]));
  let [order, chosen, wanted, all]: [readonly Row[], Row | undefined, string, boolean] = [rows, undefined, '', false];
  const more = element('button', { type: 'button', class: 'more' }, `Show all ${rows.length} rows`);
  const rowCount = element('span', { class: 'soft', role: 'status' });

  /** Puts the lines that are to be seen in their order, the detail below its row. */
  function place(): void {
    const found = order.filter((row) => (lines.get(row)?.textContent ?? '').toLowerCase().includes(wanted));
    const seen = all || wanted !== '' ? found : found.slice(0, SHOWN);
    body.replaceChildren(...seen.flatMap((row) => [lines.get(row) as HTMLElement, ...(row === chosen ? [below] : [])]));
    more.hidden = seen.length === found.length;
    rowCount.textContent =
      seen.length === rows.length ? `${rows.length} rows` : `${seen.length} of ${rows.length} rows`;
  }
  function choose(row: Row): void {
    chosen = chosen === row ? undefined : row;
    for (const [other, line] of lines) {
      line.classList.toggle('chosen', other === chosen);
      line.setAttribute('aria-expanded', String(other === chosen));
    }
    const cell = element('td', { colspan: String(columns.length) }, ...(detail?.(row) ?? []));
    below.replaceChildren(cell);
    place();
  }
  function sort(index: number, down: boolean): void {
    const column = columns[index] as Column<Row>;
    for (const head of heads) head.removeAttribute('aria-sort');
    heads[index]?.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    (select as HTMLSelectElement).value = String(index);
    order = sorted(rows, column.order, down);
    place();
  }
  const select = element(
    'select',
    { 'aria-label': 'Sort by' },
    ...columns.map(({ head }, index) => element('option', { value: String(index) }, head)),
  );
  select.addEventListener('change', () => {
    const index = Number((select as HTMLSelectElement).value);
    sort(index, columns[index]?.down === true);
  });
  heads.forEach((head, index) => {
    head.querySelector('button')?.addEventListener('click', () => {
      const now = head.getAttribute('aria-sort');
      sort(index, now === null ? columns[index]?.down === true : now === 'ascending');
    });
  });
  const search = element('input', { type: 'search', placeholder: 'Search', 'aria-label': 'Search the table' });
  search.addEventListener('input', () => {
    wanted = (search as HTMLInputElement).value.toLowerCase();
    place();
  });
  more.addEventListener('click', () => {
    all = true;
    place();
  });
  const first = columns.findIndex(({ head }) => head === by);
  if (first >= 0) sort(first, columns[first]?.down === true);
  else place();
  const [top] = order;
  if (top !== undefined && detail !== undefined) choose(top);
  const table = element('table', {}, element('thead', {}, element('tr', {}, ...heads)), body);
  const sorting = element('label', { class: 'sorting soft' }, 'sort by ', select);
  const tools = rows.length < SEARCHED ? [] : [search, sorting, rowCount];
  return element(
    'div',
    {},
    ...(tools.length === 0 ? [] : [element('p', { class: 'tools' }, ...tools)]),
    element('div', { class: 'scroll' }, table),
    more,
  );
}

function lineOf<Row>(columns: readonly Column<Row>[], row: Row, choose: ((row: Row) => void) | undefined): HTMLElement {
  const cells = columns.map(({ head, right, text }) =>
    element('td', { 'data-head': head, ...(right ? { class: 'right number' } : {}) }, element('bdi', {}, text(row))),
  );
  if (choose === undefined) return element('tr', {}, ...cells);
  const line = element('tr', { class: 'selectable', tabindex: '0', 'aria-expanded': 'false' }, ...cells);
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
