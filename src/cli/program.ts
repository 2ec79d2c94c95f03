import { basename } from 'node:path';
import { PROGRAM, VERBS } from '../options/verbs.ts';

/** The other name of the program in package.json. The old Unix `compress` may come before it in PATH. */
export const ALIAS = 'compress';

/**
 * The name that this process was started with: the alias if a link of that name was used, otherwise {@link PROGRAM}.
 */
export function calledAs(path: string | undefined = process.argv[1]): string {
  return path !== undefined && basename(path) === ALIAS ? ALIAS : PROGRAM;
}

const COMMAND = new RegExp(`\\b${PROGRAM} (?=(?:${VERBS.join('|')}|--help)\\b|<verb>)`, 'g');

/**
 * Replaces the program name in commands of a text by the name that the program was called by.
 * @example asCalled('onnx-compress tune finds them.', 'compress'); // 'compress tune finds them.'
 */
export function asCalled(text: string, name: string = calledAs()): string {
  return name === PROGRAM ? text : text.replace(COMMAND, `${name} `);
}
