import { existsSync } from 'node:fs';
import { CompressError } from '../errors.ts';
import { nearest } from '../options/nearest.ts';
import { choiceFact } from '../options/values.ts';
import { VERBS } from '../options/verbs.ts';
import { asCalled } from './program.ts';
import { count } from './text.ts';

/** How command lines are parsed. */
export const PARSER = { 'boolean-negation': false, 'duplicate-arguments-array': true } as const;

/**
 * Rewrites an error of yargs in this program's words.
 * @param known - options of the verb, for suggestions
 */
export function usageError(message: string, argv: readonly string[], known: readonly string[]): CompressError {
  const wrong: Wrong = (where, fact, hint) =>
    new CompressError('options', where, fact, hint === undefined ? {} : { hint });
  const missing = /^Not enough arguments following: (.+)$/.exec(message)?.[1];
  if (missing !== undefined) return wrong(`${missing.length === 1 ? '-' : '--'}${missing}`, 'a value must follow');
  const choice = /^Invalid values:\n {2}Argument: (.+), Given: "(.*)", Choices: (.+)$/.exec(message);
  if (choice !== null) {
    const [, option = '', given = '', choices = ''] = choice;
    return wrong(`--${option}`, choiceFact(`'${given}'`, choices.slice(1, -1).split('", "')));
  }
  const verb = argv.find((one) => !one.startsWith('-')) ?? '';
  if (verb !== '' && ![...VERBS, 'completion'].includes(verb)) return noVerb(verb, wrong);
  const few = /^Not enough non-option arguments: got (\d+), need at least (\d+)$/.exec(message);
  if (few !== null) {
    // An unknown option takes the next word as its value.
    const other = argv.find((one) => one.startsWith('--') && !known.includes(one.slice(2).split('=')[0] ?? ''));
    if (other !== undefined) return unknownArgument(other.slice(2).split('=')[0] ?? '', argv, known, wrong);
    return wrong(verb, `needs ${count(Number(few[2]), 'model')}; ${few[1]} ${few[1] === '1' ? 'is' : 'are'} given`);
  }
  const unknown = /^Unknown (?:argument|command)s?: (.+)$/.exec(message)?.[1];
  if (unknown !== undefined) return unknownArgument(unknown, argv, known, wrong);
  return wrong('', message);
}

type Wrong = (where: string, fact: string, hint?: string) => CompressError;

/** The error for a word in place of the verb: a model without a verb before it, or a mistyped or abbreviated verb. */
function noVerb(word: string, wrong: Wrong): CompressError {
  if (/\.onnx$|[\\/]/i.test(word) || existsSync(word)) {
    return wrong(
      '',
      `no verb is given before '${word}'`,
      'For example: onnx-compress quantize model.onnx -o small.onnx',
    );
  }
  const begun = VERBS.filter((one) => one.startsWith(word));
  const meant = begun.length === 1 ? begun[0] : nearest(word, VERBS);
  const suggestion = meant === undefined ? '' : `. Did you mean ${meant}?`;
  return wrong('', `'${word}' is not a verb${suggestion}`, `The verbs are ${VERBS.join(', ')}.`);
}

function unknownArgument(list: string, argv: readonly string[], known: readonly string[], wrong: Wrong): CompressError {
  const names = list.split(', ');
  const option = argv.find((one) => one.startsWith('--') && names.includes(one.slice(2).split('=')[0] ?? ''));
  if (option !== undefined) {
    const name = option.split('=')[0] ?? option;
    const meant = meantBy(name.slice(2), known);
    return wrong(name, `there is no such option${meant === undefined ? '' : `. Did you mean --${meant}?`}`);
  }
  const [first = ''] = names;
  if (!argv.includes(first)) {
    const file = argv.find((one) => one.startsWith(`-${first}`) && existsSync(one));
    const hint = file === undefined ? [] : [`The file of this name is ./${file}.`];
    return wrong(`-${first}`, 'there is no such option', ...hint);
  }
  return wrong('', `'${first}' is one argument too many`, 'One model at a time; -o names the output.');
}

/** Names that other programs have for options. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['fp16', 'float16'],
  ['half', 'float16'],
  ['bf16', 'bfloat16'],
  ['q8', 'int8'],
  ['q4', 'int4'],
  ['sparsity', 'l1'],
  ['static', 'calibrate'],
]);

function meantBy(name: string, known: readonly string[]): string | undefined {
  const other = ELSEWHERE.get(name);
  return other !== undefined && known.includes(other) ? other : nearest(name, known);
}

/**
 * Turns what people type for help and the version into options: `help quantize`, `version`, `-V`, and a lone `-v`,
 * which means `--verbose` after a verb. `--no-color` and `--color` are removed; they are read elsewhere.
 */
export function asOptions(argv: readonly string[]): string[] {
  const [first, ...rest] = argv.filter((one) => one !== '--no-color' && one !== '--color');
  if (first === undefined) return [];
  if (first === 'help') return rest.length === 0 || rest[0] === 'help' ? ['--help'] : [...rest, '--help'];
  if (first === 'version' || first === '-V') return ['--version'];
  return first === '-v' && rest.length === 0 ? ['--version'] : [first, ...rest];
}

/** Examples for the end of a help text, each command below its description; a table would wrap the commands. */
export function examples(list: readonly (readonly [what: string, command: string])[]): string {
  return `Examples:\n${list.map(([what, command]) => `  # ${what}\n  ${asCalled(command)}`).join('\n')}`;
}
