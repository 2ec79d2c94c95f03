/** The keys of an object in JSON text as they are written: `JSON.parse` keeps only the last of equal ones. */
export interface JsonKeys {
  readonly names: ReadonlySet<string>;
  /** A key that occurs twice. */
  readonly twice: string | undefined;
}

/**
 * The keys of the outermost object.
 * @param text - JSON that `JSON.parse` accepts
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

/** Whether a colon follows, so that the string that ends here is a key. */
function isKey(text: string, from: number): boolean {
  let at = from;
  while (' \t\r\n'.includes(text[at] ?? 'x')) at++;
  return text[at] === ':';
}
