import { CompressError } from '../errors.ts';
import type { Model } from '../ir/model.ts';
import { RECIPE_KEY } from '../options/run.ts';
import {
  MAX_OPTIONS_BYTES,
  objectOf,
  optionsIn,
  parseOptions,
  shownValue,
  tooLong,
  wrong,
} from '../options/written.ts';

export { RECIPE_KEY } from '../options/run.ts';

/** The value of a key in a step: the value of that option. */
export type RecipeValue = boolean | number | string | readonly string[];

/** One verb with its options, e.g. `{ "verb": "prune", "l1": 0.4 }`. */
export interface RecipeStep {
  readonly verb: string;
  /** By name in camelCase, in the order in which they were given. */
  readonly options: ReadonlyMap<string, RecipeValue>;
}

/** A chain of verbs, as JSON `{ "onnxCompress": 1, "steps": [ … ] }`. */
export interface Recipe {
  readonly steps: readonly RecipeStep[];
}

/** The one version of the format there is. */
export const RECIPE_VERSION = 1;

/** The most steps: a hostile recipe could repeat one to keep the machine busy for days. */
export const MAX_STEPS = 256;

/**
 * Reads a recipe. It does not check which verbs and keys exist, only that they are words and that values are {@link
 * RecipeValue}s.
 * @param where - the file name for error messages
 * @throws CompressError `options` that names the place, `limit`
 */
export function parseRecipe(text: string, where: string): Recipe {
  const { onnxCompress: version, steps, ...rest } = parseOptions(text, where, 'recipe');
  if (version === undefined) {
    throw wrong(where, `has no key 'onnxCompress' with the format version`, 'A recipe begins { "onnxCompress": 1, …');
  }
  if (version !== RECIPE_VERSION) {
    const hint = 'Was it written by a newer onnx-compress?';
    throw wrong(where, `'onnxCompress' is ${shownValue(version)}; ${RECIPE_VERSION} is supported`, hint);
  }
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    throw wrong(where, `'${unknown}' is not a key of a recipe; 'onnxCompress' and 'steps' are`);
  if (!Array.isArray(steps) || steps.length === 0) throw wrong(where, `'steps' is not a list of verbs with options`);
  if (steps.length > MAX_STEPS) {
    throw new CompressError('limit', where, `has ${steps.length} steps; at most ${MAX_STEPS} are accepted`);
  }
  return { steps: steps.map((one, index) => stepOf(one, `${where}, steps[${index}]`)) };
}

function stepOf(json: unknown, where: string): RecipeStep {
  const { verb, ...rest } = objectOf(json, where);
  if (typeof verb !== 'string') {
    throw wrong(where, verb === undefined ? `has no 'verb'` : `'verb' is ${shownValue(verb)}; a string is needed`);
  }
  return { verb, options: optionsIn(rest, where) };
}

/** A step as JSON has it. */
export interface PlainStep {
  readonly verb: string;
  readonly [option: string]: RecipeValue;
}

/** A step as JSON has it. */
export function plainStep({ verb, options }: RecipeStep): PlainStep {
  return { verb, ...Object.fromEntries(options) };
}

/** The recipe as JSON: on one line, or indented for people. */
export function formatRecipe(recipe: Recipe, indent?: number): string {
  const steps = recipe.steps.map(plainStep);
  const text = JSON.stringify({ onnxCompress: RECIPE_VERSION, steps }, undefined, indent);
  // Invisible characters could make a terminal show another recipe.
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (one) => (one === '\n' ? one : escaped(one)));
}

/** `\u202e`; two of them for what UTF-16 needs two units for. */
function escaped(char: string): string {
  return char
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}

/**
 * The recipe in a model's metadata; undefined if it has none.
 * @param where - the name of the model for error messages
 * @throws CompressError as {@link parseRecipe}
 */
export async function recordedRecipe(model: Model, where: string): Promise<Recipe | undefined> {
  const entry = model.metadata.find((one) => one.key === RECIPE_KEY);
  if (entry === undefined) return undefined;
  const place = `${where}, metadata '${RECIPE_KEY}'`;
  if (entry.value.byteLength > MAX_OPTIONS_BYTES) throw tooLong(place, 'recipe');
  return parseRecipe(new TextDecoder().decode(await entry.value.load()), place);
}

/**
 * Appends what was done to the recipe in the model's metadata.
 * @returns a sentence if an earlier recipe could not be kept
 */
export async function recordRecipe(model: Model, recipe: Recipe): Promise<string[]> {
  const notes: string[] = [];
  const before = await recordedRecipe(model, 'the model').catch((cause: unknown) => {
    if (!(cause instanceof CompressError) || (cause.code !== 'options' && cause.code !== 'limit')) throw cause;
    notes.push(`the earlier recipe is replaced, because it cannot be read: ${cause.message}`);
    return undefined;
  });
  const chain: Recipe = { steps: [...(before?.steps ?? []), ...recipe.steps] };
  const text = formatRecipe(chain);
  if (chain.steps.length <= MAX_STEPS && text.length <= MAX_OPTIONS_BYTES) model.setMetadata(RECIPE_KEY, text);
  else {
    notes.push('the earlier recipe is replaced, because both together are too long');
    model.setMetadata(RECIPE_KEY, formatRecipe(recipe));
  }
  return notes;
}
