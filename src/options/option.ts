/** Fields that all options have. */
interface Row {
  /** Its help text. */
  readonly help: string;
  /** The help heading it is listed under. */
  readonly group: string;
  /** The placeholder for its value in documents: `AMOUNT`. */
  readonly value?: string;
  /** The value if it is not given. */
  readonly default?: string | number | boolean;
  /** Its form in a program, if that differs from its key: `data: external` for an option that is a value there. */
  readonly program?: string;
  /** A one-letter alias. */
  readonly alias?: string;
  /** Keys of options that cannot be used together with this one. */
  readonly not?: readonly string[];
  /** Whether it belongs to a whole run of the command line, not to a step of a recipe. */
  readonly run?: boolean;
  /** Keys of the methods it belongs to, for a verb with several methods. */
  readonly of?: readonly string[];
}

/**
 * An option by the kind of its value:
 * - `flag`: true or false
 * - `choice`: one of `choices`
 * - `text`: any text
 * - `file`: the path of a file to read, or the word `word` in its place
 * - `target`: the path of a file to write; not allowed in recipes
 * - `patterns`: regular expressions; `words`: words, separated by commas; `names`: texts
 * - `whole`: a whole number from 0 on; `count`: from 1 on; `counts`: several of them
 * - `size`: one of a few whole numbers
 * - `number`: `what`, a finite number, up to `most`
 * - `amount`: a fraction below 1, or a whole number of `things`; `fraction`: only the fraction
 * - `share`: a share as `1%` or `0.01`
 * - `axis`: `out`, `in` or the number of an axis
 * - `pair`: two whole numbers as `2:4`
 */
export type Option = Row &
  (
    | { readonly kind: 'flag' | 'text' | 'target' | 'patterns' | 'words' | 'names' }
    | { readonly kind: 'whole' | 'count' | 'counts' | 'share' | 'axis' | 'pair' }
    | { readonly kind: 'choice'; readonly choices: readonly string[] }
    | { readonly kind: 'size'; readonly sizes: readonly number[] }
    | { readonly kind: 'file'; readonly word?: string }
    | { readonly kind: 'number'; readonly what: string; readonly most?: number }
    | { readonly kind: 'amount'; readonly things: 'weights' | 'slices' }
    | { readonly kind: 'fraction'; readonly hint: string }
  );

/** Positional arguments: models and recipes. */
export type PositionalName = 'model' | 'models' | 'recipe' | 'before' | 'after' | 'reference' | 'other';

/** A row for each option of a verb, by its key in programs and recipes. A new option without one does not compile. */
export type Rows<T> = { readonly [Key in Exclude<keyof Required<T>, PositionalName>]: Option };

/** A positional argument of a verb. */
export interface Positional {
  readonly help: string;
  /** Takes all remaining arguments. */
  readonly many?: boolean;
}

/** The parts of a {@link Table} that documents and parsers need. */
export interface AnyTable {
  readonly positionals: { readonly [name in PositionalName]?: Positional };
  readonly rows: Readonly<Record<string, Option>>;
  readonly groups?: readonly string[];
}

/** All options and arguments of a verb. */
export interface Table<T> {
  readonly positionals: AnyTable['positionals'];
  readonly rows: Rows<T>;
  /** Help headings in order, if it is not the order of the rows. */
  readonly groups?: readonly string[];
  /** For a verb with presets: adds the options that a preset stands for to those that were given. */
  expand?(given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
  /** Refuses invalid combinations that the rows cannot express. */
  check?(given: Partial<T>): void;
}

/** The flag of an option: `--weights-only` for `weightsOnly`. */
export function flagOf(key: string): string {
  return `--${kebab(key)}`;
}

/** `weights-only`, for `weightsOnly`. */
export function kebab(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Choices up to this total length are listed in place of a value name. */
const SHORT_CHOICES = 20;

/** The text after an option in help: `FILE`, or its choices if they are short; empty for a flag. */
export function valueName(row: Option): string {
  if (row.kind === 'flag') return '';
  const choices = row.kind === 'choice' ? row.choices.join('|') : '';
  return choices !== '' && choices.length <= SHORT_CHOICES ? choices : (row.value ?? '');
}

/** Whether an option may be given more than once. */
export function isList({ kind }: Option): boolean {
  return kind === 'patterns' || kind === 'words' || kind === 'names';
}

/** The rows of a table with these keys. */
export function rowsOf<T extends object, Key extends keyof T>(rows: T, ...keys: readonly Key[]): Pick<T, Key> {
  return Object.fromEntries(keys.map((key) => [key, rows[key]])) as Pick<T, Key>;
}

/** Whether either of two options excludes the other. */
export function excludes(rows: AnyTable['rows'], one: string, other: string): boolean {
  return rows[one]?.not?.includes(other) === true || rows[other]?.not?.includes(one) === true;
}

/** Options as command line text: `--int4 --table-bits 4`. */
export function flagsText(options: Iterable<readonly [key: string, value: unknown]>): string {
  const flags = [...options].flatMap(([key, value]) =>
    [value].flat().map((one) => (one === true ? flagOf(key) : `${flagOf(key)} ${quoted(String(one))}`)),
  );
  return flags.join(' ');
}

/** A value quoted for a shell. */
function quoted(text: string): string {
  return /^[\w.,:/%+=@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
