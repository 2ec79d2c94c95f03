/** The part of JSON Schema that our schemas use. */
export interface Schema {
  readonly [word: string]: unknown;
}

/** Whether a value fits a schema. Unknown keywords are an error, so that none is ignored. */
export function fits(schema: Schema, value: unknown): boolean {
  return misfits(schema, value).length === 0;
}

/** Where a value does not fit a schema, with the keyword: `/steps/0/l1 type`. */
export function misfits(schema: Schema, value: unknown): string[] {
  return [...found(schema, value, { root: schema, path: '' })];
}

/** The root schema for references, and the path of the value. */
interface Place {
  readonly root: Schema;
  readonly path: string;
}

type Check = (rule: never, value: unknown, place: Place, schema: Schema) => Iterable<string>;

function* found(schema: Schema, value: unknown, place: Place): Generator<string> {
  for (const [word, rule] of Object.entries(schema)) {
    const check = WORDS[word];
    if (check === undefined) throw new Error(`the schema says ${word}`);
    for (const one of check(rule as never, value, place, schema)) yield one === '' ? `${place.path} ${word}` : one;
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A keyword with a simple test. */
function plain<T>(holds: (rule: T, value: unknown) => boolean): Check {
  return (rule, value) => (holds(rule, value) ? [] : ['']);
}

/** A keyword about numbers, texts or arrays, which accepts all other values. */
const numbers = (holds: (value: number, rule: number) => boolean): Check =>
  plain((rule: number, value) => typeof value !== 'number' || holds(value, rule));
const lengths = (holds: (length: number, rule: number) => boolean): Check =>
  plain((rule: number, value) => !Array.isArray(value) || holds(value.length, rule));

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  array: Array.isArray,
  object: isObject,
  null: (value) => value === null,
  integer: Number.isInteger,
};

const nothing: Check = () => [];

const WORDS: Readonly<Record<string, Check>> = {
  $schema: nothing,
  $id: nothing,
  $defs: nothing,
  title: nothing,
  description: nothing,
  default: nothing,
  $ref: (rule: string, value, place) => {
    const at = rule.slice('#/'.length).split('/');
    const target = at.reduce<unknown>((one, key) => (one as Schema)[key], place.root);
    if (!isObject(target)) throw new Error(`the schema has no ${rule}`);
    return found(target, value, place);
  },
  type: plain((rule: string, value) => TYPES[rule]?.(value) ?? typeof value === rule),
  const: plain((rule, value) => rule === value),
  enum: plain((rule: readonly unknown[], value) => rule.includes(value)),
  anyOf: (rule: readonly Schema[], value, place) => {
    const all = rule.map((one) => [...found(one, value, place)]);
    if (all.some((one) => one.length === 0)) return [];
    // The alternative with the fewest misfits was probably meant.
    return ['', ...(all.toSorted((a, b) => a.length - b.length)[0] ?? [])];
  },
  oneOf: (rule: readonly Schema[], value, place) =>
    rule.filter((one) => [...found(one, value, place)].length === 0).length === 1 ? [] : [''],
  allOf: (rule: readonly Schema[], value, place) => rule.flatMap((one) => [...found(one, value, place)]),
  not: (rule: Schema, value, place) => ([...found(rule, value, place)].length > 0 ? [] : ['']),
  required: (rule: readonly string[], value, { path }) =>
    isObject(value) ? rule.filter((key) => !Object.hasOwn(value, key)).map((key) => `${path}/${key} required`) : [],
  properties: (rule: Readonly<Record<string, Schema>>, value, place) =>
    isObject(value)
      ? Object.entries(rule).flatMap(([key, one]) =>
          Object.hasOwn(value, key) ? [...found(one, value[key], inside(place, key))] : [],
        )
      : [],
  additionalProperties: (rule: Schema | boolean, value, place, { properties = {} }) => {
    if (!isObject(value) || rule === true) return [];
    const others = Object.keys(value).filter((key) => !Object.hasOwn(properties as object, key));
    return others.flatMap((key) =>
      rule === false ? [`${place.path}/${key} additionalProperties`] : [...found(rule, value[key], inside(place, key))],
    );
  },
  items: (rule: Schema, value, place) =>
    Array.isArray(value) ? value.flatMap((one, index) => [...found(rule, one, inside(place, String(index)))]) : [],
  minItems: lengths((length, rule) => length >= rule),
  maxItems: lengths((length, rule) => length <= rule),
  pattern: plain((rule: string, value) => typeof value !== 'string' || new RegExp(rule, 'u').test(value)),
  minimum: numbers((value, rule) => value >= rule),
  maximum: numbers((value, rule) => value <= rule),
  exclusiveMinimum: numbers((value, rule) => value > rule),
  exclusiveMaximum: numbers((value, rule) => value < rule),
  multipleOf: numbers((value, rule) => value % rule === 0),
};

function inside({ root, path }: Place, key: string): Place {
  return { root, path: `${path}/${key}` };
}
