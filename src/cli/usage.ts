import { CompressError } from '../errors.ts';
import { nearest } from '../options/nearest.ts';
import { choiceFact } from '../options/values.ts';
import { VERBS } from '../options/verbs.ts';
import { count } from './text.ts';

/** How command lines are taken apart. */
export const PARSER = { 'boolean-negation': false, 'duplicate-arguments-array': true } as const;

/**
 * Says in our words what yargs found wrong with the command line.
 * @param known - options of the verb, to tell which one was meant
 */
export function usageError(message: string, argv: readonly string[], known: readonly string[]): CompressError {
  const wrong = (where: string, fact: string, hint?: string): CompressError =>
    new CompressError('options', where, fact, hint === undefined ? {} : { hint });
  const missing = /^Not enough arguments following: (.+)$/.exec(message)?.[1];
  if (missing !== undefined) return wrong(`${missing.length === 1 ? '-' : '--'}${missing}`, 'a value must follow');
  const choice = /^Invalid values:\n {2}Argument: (.+), Given: "(.*)", Choices: (.+)$/.exec(message);
  if (choice !== null) {
    const [, option = '', given = '', choices = ''] = choice;
    return wrong(`--${option}`, choiceFact(`'${given}'`, choices.slice(1, -1).split('", "')));
  }
  const meant = /^Did you mean (.+)\?$/.exec(message)?.[1];
  const verb = argv.find((one) => !one.startsWith('-')) ?? '';
  if (meant !== undefined)
    return wrong('', `'${verb}' is not a verb. Did you mean ${meant}?`, `The verbs are ${VERBS.join(', ')}.`);
  const few = /^Not enough non-option arguments: got (\d+), need at least (\d+)$/.exec(message);
  if (few !== null) {
    // An option nobody knows takes what follows it for its value.
    const other = argv.find((one) => one.startsWith('--') && !known.includes(one.slice(2).split('=')[0] ?? ''));
    if (other !== undefined) return unknownArgument(other.slice(2).split('=')[0] ?? '', argv, known, wrong);
    return wrong(verb, `needs ${count(Number(few[2]), 'model')}; ${few[1]} ${few[1] === '1' ? 'is' : 'are'} given`);
  }
  const unknown = /^Unknown (?:argument|command)s?: (.+)$/.exec(message)?.[1];
  if (unknown !== undefined) return unknownArgument(unknown, argv, known, wrong);
  return wrong('', message);
}

function unknownArgument(
  list: string,
  argv: readonly string[],
  known: readonly string[],
  wrong: (where: string, fact: string, hint?: string) => CompressError,
): CompressError {
  const names = list.split(', ');
  const option = argv.find((one) => one.startsWith('--') && names.includes(one.slice(2).split('=')[0] ?? ''));
  if (option !== undefined) {
    const name = option.split('=')[0] ?? option;
    const meant = nearest(name.slice(2), known);
    return wrong(name, `there is no such option${meant === undefined ? '' : `. Did you mean --${meant}?`}`);
  }
  const [first = ''] = names;
  if (!argv.includes(first)) return wrong(`-${first}`, 'there is no such option');
  if (!argv.some((one) => (VERBS as readonly string[]).includes(one))) {
    return wrong('', `'${first}' is not a verb`, `The verbs are ${VERBS.join(', ')}.`);
  }
  return wrong('', `'${first}' is one argument too many`, 'One model at a time; -o names the output.');
}

/** Examples for the end of a help text, each a command under what it does; a table would break the commands. */
export function examples(list: readonly (readonly [what: string, command: string])[]): string {
  return `Examples:\n${list.map(([what, command]) => `  # ${what}\n  ${command}`).join('\n')}`;
}
