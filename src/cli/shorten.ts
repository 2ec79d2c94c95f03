/** Cuts the middle of a text that is wider than `width`. */
export function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  const head = Math.floor((width - 1) / 3);
  return `${text.slice(0, head)}…${text.slice(text.length - (width - 1 - head))}`;
}

/**
 * Shortens the names of a list so that they stay distinct. If {@link shorten} would make two of them equal, the part in
 * which they differ is kept: `…layers.10/attn/q…MatMul`. Such names may be a little wider than `width`.
 */
export function shortenDistinct(texts: readonly string[], width: number): string[] {
  const shown = new Map<string, string>();
  const taken = new Set<string>();
  const settle = (names: readonly string[], forms: readonly string[]): void => {
    names.forEach((name, index) => {
      const form = forms[index] as string;
      shown.set(name, form);
      taken.add(form);
    });
  };
  const groups = [...grouped(new Set(texts), (one) => shorten(one, width))];
  for (const [form, names] of groups) if (names.length === 1) settle(names, [form]);
  for (const [, names] of groups) if (names.length > 1) settle(names, cutDistinct(names, width, taken));
  return texts.map((one) => shown.get(one) as string);
}

/** Factor by which the width grows if names cannot be kept distinct. */
const WIDER = 1.25;
/** Number of ways to divide the width between the first difference and the end. */
const SHARES = 12;

/** The names, all cut in the same way, distinct from each other and from `taken`. */
function cutDistinct(names: readonly string[], width: number, taken: ReadonlySet<string>): readonly string[] {
  const start = commonStart(names);
  const longest = names.reduce((most, { length }) => Math.max(most, length), 0);
  for (let wide = width; wide < longest; wide = Math.ceil(wide * WIDER)) {
    // Keep as much as possible of the end, which says what a thing is, and the rest from the first difference.
    for (let share = SHARES; share >= 0; share--) {
      const tail = Math.floor((share / SHARES) * (2 / 3) * wide);
      const forms = new Set<string>();
      for (const name of names) {
        const form = window(name, start, wide, tail);
        if (taken.has(form) || forms.has(form)) break;
        forms.add(form);
      }
      if (forms.size === names.length) return [...forms];
    }
  }
  return names;
}

/** Number of characters kept before the first difference, so that a number has some context. */
const LEAD = 7;

/** `…<text from shortly before start><last characters>`, `width` wide. */
function window(name: string, start: number, width: number, tail: number): string {
  if (name.length <= width) return name;
  const from = start <= LEAD + 1 ? 0 : start - LEAD;
  const head = from === 0 ? '' : '…';
  const room = width - head.length - 1 - tail;
  if (from + room + tail >= name.length) return `…${name.slice(name.length - width + 1)}`;
  return `${head}${name.slice(from, from + room)}…${name.slice(name.length - tail)}`;
}

/** Length of the common prefix. */
function commonStart(names: readonly string[]): number {
  const [first = '', ...others] = names;
  let length = first.length;
  for (const one of others) {
    let at = 0;
    while (at < length && one[at] === first[at]) at++;
    length = at;
  }
  return length;
}

function grouped(list: Iterable<string>, key: (one: string) => string): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const one of list) {
    const group = groups.get(key(one));
    if (group === undefined) groups.set(key(one), [one]);
    else group.push(one);
  }
  return groups;
}
