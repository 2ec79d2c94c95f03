/** What all options have. */
interface Row {
  /** What it is for, as the help says it. */
  readonly help: string;
  /** The heading it stands under. */
  readonly group: string;
  /** What stands for its value in documents: `AMOUNT`. */
  readonly value?: string;
  /** What it is where it is not given. */
  readonly default?: string | number | boolean;
  /** What programs call it, where that is not its key: `data: external` for one that is a value. */
  readonly program?: string;
  /** One letter that is the same option. */
  readonly alias?: string;
  /** Keys of options that cannot be used together with this one. */
  readonly not?: readonly string[];
  /** Whether it belongs to a whole run of the command line, and to no step of a recipe. */
  readonly run?: boolean;
  /** Keys of the methods it belongs to, of a verb with several methods. */
  readonly of?: readonly string[];
}

/**
 * An option by the kind of its value:
 * - `flag`: true or false
 * - `choice`: one of `choices`
 * - `text`: a text, which is not looked into
 * - `file`: the path of a file to read, or the word `word` in its place
 * - `target`: the path of a file to write, which no recipe does
 * - `patterns`: regular expressions; `words`: words, several with commas between them; `names`: texts
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

/** What has no dashes: models and recipes. */
export type PositionalName = 'model' | 'models' | 'recipe' | 'before' | 'after' | 'reference' | 'other';

/**
 * A row for each option of a verb, by its key: as programs and recipes name it. A new option without one does not
 * compile.
 */
export type Rows<T> = { readonly [Key in Exclude<keyof Required<T>, PositionalName>]: Option };

/** What a verb reads besides its options, in order. */
export interface Positional {
  readonly help: string;
  /** Takes all that are left. */
  readonly many?: boolean;
}

/** What documents and parsers need of a {@link Table}. */
export interface AnyTable {
  readonly positionals: { readonly [name in PositionalName]?: Positional };
  readonly rows: Readonly<Record<string, Option>>;
  readonly groups?: readonly string[];
}

/** All that a verb can be told. */
export interface Table<T> {
  readonly positionals: AnyTable['positionals'];
  readonly rows: Rows<T>;
  /** Headings in their order, where it is not that of the rows. */
  readonly groups?: readonly string[];
  /** What was given with what it stands for, of a verb with presets. */
  expand?(given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
  /** Refuses what does not go together, beyond what the rows tell. */
  check?(given: Partial<T>): void;
}

/** `--weights-only`, the option `weightsOnly` as a command line has it. */
export function flagOf(key: string): string {
  return `--${kebab(key)}`;
}

/** `weights-only`, for `weightsOnly`. */
export function kebab(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Choices that are shown in place of the name of a value, all together. */
const SHORT_CHOICES = 20;

/** What follows an option in help: `FILE`, or its choices where they are short; nothing for a flag. */
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

/** Whether two options cannot be used together, by what either says. */
export function excludes(rows: AnyTable['rows'], one: string, other: string): boolean {
  return rows[one]?.not?.includes(other) === true || rows[other]?.not?.includes(one) === true;
}

/** Options as a command line has them: `--int4 --table-bits 4`. */
export function flagsText(options: Iterable<readonly [key: string, value: unknown]>): string {
  const flags = [...options].flatMap(([key, value]) =>
    [value].flat().map((one) => (one === true ? flagOf(key) : `${flagOf(key)} ${quoted(String(one))}`)),
  );
  return flags.join(' ');
}

/** A value as a shell takes it. */
function quoted(text: string): string {
  return /^[\w.,:/%+=@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
