/** The names of an object in JSON text as they are written: `JSON.parse` keeps the last of several equal ones. */
export interface JsonKeys {
  readonly names: ReadonlySet<string>;
  /** A name that is written twice. */
  readonly twice: string | undefined;
}

/**
 * The names of the outermost object.
 * @param text - JSON that `JSON.parse` took
 */
export function jsonKeys(text: string): JsonKeys {
  const names = new Set<string>();
  let twice: string | undefined;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === '{' || sign === '[') depth++;
    else if (sign === '}' || sign === ']') depth--;
    else if (sign === '"') {
      const start = at;
      for (at++; text[at] !== '"'; at++) if (text[at] === '\\') at++;
      if (depth === 1 && isKey(text, at + 1)) {
        const name = JSON.parse(text.slice(start, at + 1)) as string;
        if (names.has(name)) twice ??= name;
        names.add(name);
      }
    }
  }
  return { names, twice };
}

/** Whether a colon follows: a text that ends here is then a name. */
function isKey(text: string, from: number): boolean {
  let at = from;
  while (' \t\r\n'.includes(text[at] ?? 'x')) at++;
  return text[at] === ':';
}
