// Writes docs/options.md, a table of the options of each verb, and the schemas of recipes and config files, from
// src/options/.
//   npm run build && node scripts/options.js
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { schemaText } from './schemaFile.js';

const root = fileURLToPath(new URL('..', import.meta.url));

function kebab(key) {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Text in a cell of a Markdown table. */
function cell(text) {
  return text.replaceAll('|', '\\|');
}

/** The value of an option. */
function valueCell({ kind, choices, value = '' }) {
  if (kind === 'flag') return '';
  return choices === undefined ? `\`${value}\`` : choices.map((one) => `\`${one}\``).join(', ');
}

/** Which options cannot be used together with each. */
function excludedBy(rows, key) {
  const others = Object.keys(rows).filter((one) => rows[one].not?.includes(key));
  return [...(rows[key].not ?? []), ...others];
}

function rowOf(rows, key, stepKeys) {
  const row = rows[key];
  const flags = [...(row.alias === undefined ? [] : [`-${row.alias}`]), `--${kebab(key)}`];
  const facts = [
    row.help,
    ...(row.of === undefined ? [] : [`Of ${row.of.map((one) => `\`--${one}\``).join(', ')}.`]),
    ...(excludedBy(rows, key).length === 0
      ? []
      : [
          `Not with ${excludedBy(rows, key)
            .map((one) => `\`--${kebab(one)}\``)
            .join(', ')}.`,
        ]),
  ];
  const fallback = row.default === undefined || row.default === false ? '' : `\`${row.default}\``;
  const cells = [flags.map((one) => `\`${one}\``).join(' '), valueCell(row), fallback];
  const inRecipe = stepKeys.has(key) ? `\`${key}\`` : '';
  return `| ${[...cells, inRecipe, facts.join('. ').replaceAll('..', '.')].map(cell).join(' | ')} |`;
}

/** The page from the tables of all verbs and their summaries. */
export function optionsPage(tables, summaries, stepKeysOf) {
  const lines = [
    '# Options',
    '',
    'Every option of every verb, as `onnx-compress VERB --help` lists them. An option with a name in the fourth column can',
    'be set under this name in a step of a [recipe](recipes.md) and in a [config file](config.md). `scripts/options.js`',
    'writes this page.',
  ];
  for (const [verb, { positionals, rows, groups = [] }] of Object.entries(tables)) {
    lines.push('', `## ${verb}`, '', `\`onnx-compress ${summaries[verb].command}\`: ${summaries[verb].describe}.`, '');
    for (const [name, { help }] of Object.entries(positionals)) lines.push(`- \`${name}\`: ${help}`);
    const stepKeys = stepKeysOf(verb);
    const headings = new Set([...groups, ...Object.values(rows).map((row) => row.group)]);
    for (const heading of headings) {
      lines.push('', `### ${verb}: ${heading}`, '', '| option | value | default | in recipes | what it is for |');
      lines.push('| --- | --- | --- | --- | --- |');
      const keys = Object.keys(rows).filter((key) => rows[key].group === heading);
      lines.push(...keys.map((key) => rowOf(rows, key, stepKeys)));
    }
  }
  return `${lines.join('\n')}\n`;
}

const TEXT = { type: 'string' };
const LIST = { anyOf: [TEXT, { type: 'array', items: TEXT }] };

/** A number, or the text of one. */
function number(limits, pattern) {
  return {
    anyOf: [
      { type: 'number', ...limits },
      { type: 'string', pattern },
    ],
  };
}

function valueSchema({ kind, choices, sizes, most }) {
  switch (kind) {
    case 'flag':
      return { type: 'boolean' };
    case 'choice':
      return { enum: choices };
    case 'patterns':
    case 'words':
    case 'names':
      return LIST;
    case 'whole':
      return number({ multipleOf: 1, minimum: 0 }, '^\\d+$');
    case 'count':
      return number({ multipleOf: 1, minimum: 1 }, '^0*[1-9]\\d*$');
    case 'size':
      return { enum: [...sizes, ...sizes.map(String)] };
    case 'share':
      return number({ minimum: 0, maximum: 100 }, '\\d');
    case 'fraction':
      return number({ exclusiveMinimum: 0, exclusiveMaximum: 1 }, '\\d');
    case 'amount':
      return number({ exclusiveMinimum: 0 }, '\\d');
    case 'number':
      return number(most === undefined ? {} : { minimum: 0, maximum: most }, '\\d');
    case 'axis':
      return { anyOf: [{ enum: ['out', 'in'] }, number({ multipleOf: 1 }, '^-?\\d{1,3}$')] };
    case 'pair':
      return { type: 'string', pattern: '^\\s*\\d{1,9}:\\d{1,9}\\s*$' };
    default:
      return TEXT;
  }
}

/** Options that exclude each other in a step: both true, or both given. */
function exclusions(rows) {
  return [...rows].flatMap(([key, { not = [] }]) =>
    not
      .filter((other) => rows.has(other))
      .map((other) => ({ not: { required: [key, other], properties: { [key]: GIVEN, [other]: GIVEN } } })),
  );
}

const GIVEN = { not: { const: false } };

/** An object with options of a verb. */
function optionsSchema(rows) {
  const keys = [...rows].map(([key, row]) => [key, { description: row.help, ...valueSchema(row) }]);
  const excluded = exclusions(rows);
  return {
    type: 'object',
    properties: Object.fromEntries(keys),
    additionalProperties: false,
    ...(excluded.length === 0 ? {} : { allOf: excluded }),
  };
}

/** A JSON schema of recipes, from the keys of a step of each verb. */
export function recipeSchema(verbs, stepRows, version, most) {
  const steps = verbs.map((verb) => {
    const rows = stepRows(verb);
    const { type, properties, ...rest } = optionsSchema(rows);
    return {
      title: verb,
      type,
      properties: { verb: { const: verb }, ...properties },
      required: ['verb', ...(rows.has('opset') ? ['opset'] : [])],
      ...rest,
    };
  });
  return {
    title: 'A recipe of onnx-compress',
    description: 'A chain of verbs with their options, replayed by onnx-compress run.',
    type: 'object',
    properties: {
      onnxCompress: { const: version },
      steps: { type: 'array', minItems: 1, maxItems: most, items: { oneOf: steps } },
    },
    required: ['onnxCompress', 'steps'],
    additionalProperties: false,
  };
}

/** A JSON schema of config files, from the options that each verb accepts there. */
export function configSchema(verbs, configRows, describe) {
  const entries = verbs.map((verb) => [verb, { description: describe(verb), ...optionsSchema(configRows(verb)) }]);
  return {
    title: 'A config file of onnx-compress',
    description: 'Options of its verbs, taken from onnx-compress.json beside a model or from --config FILE.',
    type: 'object',
    properties: { $schema: { type: 'string' }, ...Object.fromEntries(entries) },
    additionalProperties: false,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { TABLES } = await import('../dist/options/tables.js');
  const { STEP_VERBS, SUMMARIES } = await import('../dist/options/verbs.js');
  const { CONFIG_VERBS, configRows } = await import('../dist/options/config.js');
  const { stepRows } = await import('../dist/options/step.js');
  const { MAX_STEPS, RECIPE_VERSION } = await import('../dist/passes/recipe.js');
  const rowsOf = (verb) => stepRows(TABLES[verb]);
  const keysOf = (verb) => new Set(STEP_VERBS.includes(verb) ? rowsOf(verb).keys() : []);
  writeFileSync(join(root, 'docs/options.md'), optionsPage(TABLES, SUMMARIES, keysOf));
  const schema = recipeSchema(STEP_VERBS, rowsOf, RECIPE_VERSION, MAX_STEPS);
  writeFileSync(join(root, 'schemas/recipe.schema.json'), schemaText('recipe', schema));
  const config = configSchema(
    CONFIG_VERBS,
    (verb) => configRows(TABLES[verb]),
    (verb) => SUMMARIES[verb].describe,
  );
  writeFileSync(join(root, 'schemas/config.schema.json'), schemaText('config', config));
}
