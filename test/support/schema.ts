/** As much of JSON Schema as the schema of recipes uses. */
export interface Schema {
  readonly [word: string]: unknown;
}

/** Whether a value fits a schema. A word of the schema that is not known here is an error, so that none is passed over. */
export function fits(schema: Schema, value: unknown): boolean {
  return Object.entries(schema).every(([word, rule]) => {
    const check = WORDS[word];
    if (check === undefined) throw new Error(`the schema says ${word}`);
    return check(rule as never, value, schema);
  });
}

type Check = (rule: never, value: unknown, schema: Schema) => boolean;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const limit =
  (holds: (value: number, rule: number) => boolean): Check =>
  (rule: number, value) =>
    typeof value !== 'number' || holds(value, rule);

const WORDS: Readonly<Record<string, Check>> = {
  $schema: () => true,
  title: () => true,
  description: () => true,
  type: (rule: string, value) =>
    rule === 'array' ? Array.isArray(value) : rule === 'object' ? isObject(value) : typeof value === rule,
  const: (rule: unknown, value) => rule === value,
  enum: (rule: readonly unknown[], value) => rule.includes(value),
  anyOf: (rule: readonly Schema[], value) => rule.some((one) => fits(one, value)),
  oneOf: (rule: readonly Schema[], value) => rule.filter((one) => fits(one, value)).length === 1,
  allOf: (rule: readonly Schema[], value) => rule.every((one) => fits(one, value)),
  not: (rule: Schema, value) => !fits(rule, value),
  required: (rule: readonly string[], value) => !isObject(value) || rule.every((key) => Object.hasOwn(value, key)),
  properties: (rule: Readonly<Record<string, Schema>>, value) =>
    !isObject(value) || Object.entries(rule).every(([key, one]) => !Object.hasOwn(value, key) || fits(one, value[key])),
  additionalProperties: (_: never, value, { properties }) =>
    !isObject(value) || Object.keys(value).every((key) => Object.hasOwn(properties as object, key)),
  items: (rule: Schema, value) => !Array.isArray(value) || value.every((one) => fits(rule, one)),
  minItems: (rule: number, value) => !Array.isArray(value) || value.length >= rule,
  maxItems: (rule: number, value) => !Array.isArray(value) || value.length <= rule,
  pattern: (rule: string, value) => typeof value !== 'string' || new RegExp(rule, 'u').test(value),
  minimum: limit((value, rule) => value >= rule),
  maximum: limit((value, rule) => value <= rule),
  exclusiveMinimum: limit((value, rule) => value > rule),
  exclusiveMaximum: limit((value, rule) => value < rule),
  multipleOf: limit((value, rule) => value % rule === 0),
};
