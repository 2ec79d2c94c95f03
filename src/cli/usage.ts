import { CompressError } from '../errors.ts';
import { nearest } from '../options/nearest.ts';
import { count } from './text.ts';

/** The verbs, as messages name them. */
export const VERBS = [
  'prune',
  'quantize',
  'pack',
  'fold',
  'convert',
  'copy',
  'run',
  'tune',
  'inspect',
  'diff',
  'verify',
  'bench',
] as const;

export type Verb = (typeof VERBS)[number];

/** Verbs that are no step of a recipe: they change no model, or are made of steps. */
type NoStep = 'copy' | 'run' | 'tune' | 'inspect' | 'diff' | 'verify' | 'bench';

/** A verb that can be a step of a recipe. */
export type StepVerb = Exclude<Verb, NoStep>;

const NO_STEPS: ReadonlySet<Verb> = new Set<NoStep>([
  ...(['copy', 'run', 'tune', 'inspect', 'diff', 'verify', 'bench'] as const),
]);

/** Whether a verb can be a step of a recipe. */
export function isStepVerb(verb: Verb): verb is StepVerb {
  return !NO_STEPS.has(verb);
}

/** In the order of {@link VERBS}. */
export const STEP_VERBS: readonly StepVerb[] = VERBS.filter(isStepVerb);

/** How command lines, and the steps of recipes, are taken apart. */
export const PARSER = { 'boolean-negation': false, 'duplicate-arguments-array': true } as const;

/** What each verb takes, and what it does in a line: all that the help of the program needs of it. */
export const SUMMARIES: { readonly [verb in Verb]: readonly [command: string, describe: string] } = {
  prune: ['prune [model]', 'zero the least important weights, as torch.nn.utils.prune does, or remove channels'],
  quantize: ['quantize [model]', 'turn weights into 8-bit integers, as torch.quantization.quantize_dynamic does'],
  pack: ['pack [model]', 'store pruned weights in fewer bytes; what the model computes stays the same'],
  fold: ['fold [model]', 'fold BatchNormalization and constants into the weights; remove what does nothing'],
  convert: ['convert [model]', 'rewrite a model for a higher opset; what it computes stays the same'],
  copy: ['copy [model]', 'write a model again, byte for byte; moves weights in and out of external data'],
  run: ['run [recipe] [model]', 'replay a chain of verbs, written down as a recipe, in one go'],
  tune: ['tune <model>', 'quantize as much as the accuracy allows: find the layers that must stay float'],
  inspect: ['inspect [model]', 'tell what a model is made of, and what could be made of it'],
  diff: ['diff <before> <after>', 'tell what changed between two models, in the graph and in the weights'],
  verify: [
    'verify <reference> <other>',
    'compare what two models compute, and show what ONNX Runtime made of the second',
  ],
  bench: ['bench <models..>', 'time models side by side in ONNX Runtime: runs, load, size, memory'],
};

/** Where data goes, of the verbs that take it. */
export const DATA_OPTIONS: { readonly [verb in Verb]?: string } = {
  prune: 'Data goes to --calibrate, masks and scores to --mask and --scores.',
  quantize: 'Data goes to --calibrate.',
  tune: 'Data to judge on goes to --data, data to calibrate with to --calibrate.',
  verify: 'Data goes to --data.',
  bench: 'Data goes to --data.',
};

/** Options that may be given more than once. */
const LISTS = new Set(['_', 'op-types', 'opTypes', 'include', 'exclude', 'models']);

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
  if (choice !== null) return wrong(`--${choice[1]}`, `'${choice[2]}' is not one of ${choice[3]}`);
  const both = /^Arguments (.+) and (.+) are mutually exclusive$/.exec(message);
  if (both !== null)
    return wrong('', `--${both[1]} and --${both[2]} cannot be used together`, 'Leave out one of the two.');
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

/** Refuses an option that is given twice, of which only one can be meant. */
export function refuseRepeated(args: Record<string, unknown>): true {
  const twice = Object.keys(args).find((key) => Array.isArray(args[key]) && !LISTS.has(key));
  if (twice === undefined) return true;
  throw new CompressError('options', `${twice.length === 1 ? '-' : '--'}${twice}`, 'it is given more than once');
}

/** Examples for the end of a help text, each a command under what it does; a table would break the commands. */
export function examples(list: readonly (readonly [what: string, command: string])[]): string {
  return `Examples:\n${list.map(([what, command]) => `  # ${what}\n  ${command}`).join('\n')}`;
}
