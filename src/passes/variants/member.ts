/** A key of the outermost object of a JSON text, and the position of its value. */
interface Member {
  readonly key: string;
  readonly start: number;
  readonly end: number;
}

/** Texts, brackets, colons, commas, and what numbers and words are made of. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{}:,]|[^\s"[\]{}:,]+/g;

/**
 * The text of a JSON object with another value for one of its keys; everything else stays byte for byte, including
 * numbers that JavaScript cannot represent. A new key is added at the end.
 * @param text - of an object, which is JSON
 * @example
 * withMember('{\n  "a": 1e999\n}', 'b', true); // '{\n  "a": 1e999,\n  "b": true\n}'
 */
export function withMember(text: string, key: string, value: unknown): string {
  const indent = /^\s*\{\s*?\n([ \t]+)/.exec(text)?.[1] ?? '  ';
  const json = JSON.stringify(value, undefined, indent).replaceAll('\n', `\n${indent}`);
  const members = membersOf(text);
  const found = members.findLast((one) => one.key === key);
  if (found !== undefined) return text.slice(0, found.start) + json + text.slice(found.end);
  const last = members.at(-1);
  const at = last?.end ?? text.indexOf('{') + 1;
  const [before, after] = last === undefined ? ['', '\n'] : [',', ''];
  return `${text.slice(0, at)}${before}\n${indent}${JSON.stringify(key)}: ${json}${after}${text.slice(at)}`;
}

function membersOf(text: string): Member[] {
  const members: Member[] = [];
  let depth = 0;
  let key: string | undefined;
  let value: { start: number; end: number } | undefined;
  for (const { 0: token, index } of text.matchAll(TOKENS)) {
    if (depth === 1 && (token === ',' || token === '}')) {
      if (key !== undefined && value !== undefined) members.push({ key, ...value });
      key = undefined;
      value = undefined;
    } else if (depth === 1 && key === undefined) {
      key = JSON.parse(token) as string;
    } else if (depth > 1 || (depth === 1 && token !== ':')) {
      value = { start: value?.start ?? index, end: index + token.length };
    }
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
  }
  return members;
}
