import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { CommandModule } from 'yargs';
import yargs from 'yargs';
import { CompressError } from '../../errors.ts';
import { didYouMean } from '../../options/nearest.ts';
import type { Recipe, RecipeStep, RecipeValue } from '../../passes/recipe.ts';
import type { CommonArguments } from '../arguments.ts';
import { choosing, chosenBy } from '../chosen.ts';
import type { LoadVerb } from '../run.ts';
import { type Step, stepsWith } from '../step.ts';
import { PARSER, refuseRepeated, STEP_VERBS, usageError } from '../usage.ts';
import { isFile, isSaving, optionsOf, type VerbOption } from './options.ts';

export type { LoadVerb } from '../run.ts';

/**
 * The passes of a recipe. Each step is parsed by the verb it names, as a command line is, so a key is whatever that
 * verb has as an option.
 * @param where - what errors call the recipe
 * @param common - how `compress run` itself was called: what is quiet, what may be replaced
 * @throws CompressError `options` naming the step
 */
export async function stepsOf(recipe: Recipe, where: string, common: CommonArguments, load: LoadVerb): Promise<Step[]> {
  const steps: Step[] = [];
  for (const [index, one] of recipe.steps.entries()) {
    const place = `${where}, steps[${index}] '${one.verb}'`;
    steps.push(...(await passesOf(one, place, common, load)));
  }
  return steps;
}

/**
 * The passes of one step.
 * @param where - what errors call it
 * @param further - arguments for the verb that no recipe can have
 */
export async function passesOf(
  { verb, options }: RecipeStep,
  where: string,
  common: CommonArguments,
  load: LoadVerb,
  further: readonly string[] = [],
): Promise<Step[]> {
  const known = STEP_VERBS.find((one) => one === verb);
  if (known === undefined) {
    const fact = `there is no such step.${didYouMean(verb, STEP_VERBS)}`;
    throw new CompressError('options', where, fact, { hint: `The steps are ${STEP_VERBS.join(', ')}.` });
  }
  const steps: Step[] = [];
  const module = await load(known, async (selection, passes, allowUnchanged) => {
    steps.push(...stepsWith(await passes(), { allowUnchanged, selection, where }));
  });
  const declared = optionsOf(module);
  const argv = [...options].flatMap(([key, value]) => argumentsOf(optionOf(declared, key, where), value, where));
  try {
    const chosen = await parsed(
      module,
      [known, ...argv, ...further],
      common,
      [...declared.values()].map(({ flag }) => flag),
    );
    await chosen?.run();
  } catch (cause) {
    if (!(cause instanceof CompressError) || cause.code !== 'options') throw cause;
    const { message, hint } = cause;
    throw new CompressError('options', where, message, hint === undefined ? { cause } : { cause, hint });
  }
  return steps;
}

function optionOf(declared: ReadonlyMap<string, VerbOption>, key: string, where: string): VerbOption {
  const found = declared.get(key);
  if (found !== undefined && !isSaving(key)) return found;
  if (found !== undefined) throw new CompressError('options', where, `'${key}': a recipe writes no other file`);
  const keys = [...declared.keys()].filter((one) => !isSaving(one));
  throw new CompressError('options', where, `'${key}' is no key of this step.${didYouMean(key, keys)}`, {
    hint: `Its keys are ${keys.join(', ')}.`,
  });
}

/** An option as the command line has it: `--exclude=fc1`, `--exclude=fc2`. */
function argumentsOf({ key, flag, kind }: VerbOption, value: RecipeValue, where: string): string[] {
  const wrong = (needed: string): CompressError => {
    const shown = JSON.stringify(value);
    const found = shown.length > 60 ? `${shown.slice(0, 60)}…` : shown;
    return new CompressError('options', where, `'${key}' is ${found}; ${needed} is needed`);
  };
  if (kind === 'flag') {
    if (typeof value !== 'boolean') throw wrong('true or false');
    return value ? [`--${flag}`] : [];
  }
  if (kind === 'list') {
    const list = typeof value === 'string' ? [value] : value;
    if (!Array.isArray(list)) throw wrong('a list of texts');
    return list.map((one: string) => `--${flag}=${quoted(one)}`);
  }
  if (typeof value !== 'string' && typeof value !== 'number') throw wrong('a text or a number');
  return [`--${flag}=${quoted(String(value))}`];
}

/** yargs takes quotes around a value away, as a shell does; ones that belong to it need another pair. */
function quoted(text: string): string {
  return /^(['"])[\s\S]*\1$/.test(text) ? `"${text}"` : text;
}

function parsed(
  module: CommandModule,
  argv: readonly string[],
  common: CommonArguments,
  flags: readonly string[],
): ReturnType<typeof chosenBy> {
  const command = choosing(module, (args) => module.handler({ ...args, ...common } as never));
  const parser = yargs([...argv])
    .command(command)
    .strict()
    .check(refuseRepeated)
    .locale('en')
    .parserConfiguration(PARSER)
    .version(false)
    .help(false)
    .exitProcess(false)
    .fail((message, cause) => {
      throw cause === undefined || cause.name === 'YError' ? usageError(message || cause.message, argv, flags) : cause;
    });
  return chosenBy(() => parser.parseAsync());
}

/** The step that a verb's arguments are: every option that is not as it is by default. */
export function stepOf(verb: string, module: CommandModule, args: Readonly<Record<string, unknown>>): RecipeStep {
  const options = new Map<string, RecipeValue>();
  for (const { key, spec } of optionsOf(module).values()) {
    const value = args[key];
    if (isSaving(key) || value === undefined || value === false || value === spec.default) continue;
    if (Array.isArray(value)) options.set(key, value.map(String));
    else options.set(key, value === true ? true : plain(String(value)));
  }
  return { verb, options };
}

/** `0.4` is a number in JSON; what would come back as another text stays one. */
function plain(text: string): number | string {
  const number = Number(text);
  return Number.isFinite(number) && String(number) === text ? number : text;
}

/** The recipe with its paths as `change` makes them. */
function withPaths(recipe: Recipe, change: (path: string) => string): Recipe {
  const steps = recipe.steps.map(({ verb, options }) => {
    const changed = [...options].map(([key, value]): readonly [string, RecipeValue] => {
      return [key, typeof value === 'string' && isFile(key, value) ? change(value) : value];
    });
    return { verb, options: new Map(changed) };
  });
  return { steps };
}

/** The recipe with its paths, which start from `folder`, as this process can open them. */
export function fromFolder(recipe: Recipe, folder: string): Recipe {
  return withPaths(recipe, (path) => (isAbsolute(path) || folder === '.' ? path : join(folder, path)));
}

/** The recipe with the paths this process opens as they are from where the file `target` is. */
export function seenFrom(recipe: Recipe, target: string): Recipe {
  return withPaths(recipe, (path) => {
    if (isAbsolute(path)) return path;
    const seen = relative(dirname(resolve(target)), resolve(path))
      .split(sep)
      .join('/');
    return seen.startsWith('.') ? seen : `./${seen}`;
  });
}

/** The recipe with names of files only: a model goes to others, whom our folders do not concern. */
export function withoutFolders(recipe: Recipe): Recipe {
  return withPaths(recipe, (path) => `./${basename(resolve(path))}`);
}
