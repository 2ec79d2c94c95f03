/** docs/options.md and the schemas of recipes and config files match the tables of options. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { CONFIG_VERBS, type ConfigVerb, configRows } from '../../src/options/config.ts';
import { stepRows } from '../../src/options/step.ts';
import { TABLES } from '../../src/options/tables.ts';
import { STEP_VERBS, type StepVerb, SUMMARIES, type Verb } from '../../src/options/verbs.ts';
import { MAX_STEPS, RECIPE_VERSION } from '../../src/passes/recipe.ts';
import { schemaOf } from '../support/documents.ts';
import { fits, type Schema } from '../support/schema.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const script: string = join(ROOT, 'scripts/options.js');
const { configSchema, optionsPage, recipeSchema } = (await import(script)) as {
  configSchema(
    verbs: readonly ConfigVerb[],
    rows: (verb: ConfigVerb) => object,
    describe: (verb: ConfigVerb) => string,
  ): Schema;
  optionsPage(tables: typeof TABLES, summaries: typeof SUMMARIES, keys: (verb: Verb) => Set<string>): string;
  recipeSchema(verbs: readonly StepVerb[], rows: (verb: StepVerb) => object, version: number, most: number): Schema;
};
const docs = (name: string): string => readFileSync(join(ROOT, 'docs', name), 'utf8');
const keysOf = (verb: Verb): Set<string> =>
  new Set((STEP_VERBS as readonly Verb[]).includes(verb) ? stepRows(TABLES[verb]).keys() : []);
const schema = recipeSchema(STEP_VERBS, (verb) => stepRows(TABLES[verb]), RECIPE_VERSION, MAX_STEPS);

const config = configSchema(
  CONFIG_VERBS,
  (verb) => configRows(TABLES[verb]),
  (verb) => SUMMARIES[verb].describe,
);

test('all are up to date (otherwise: npm run build && node scripts/options.js)', () => {
  expect(docs('options.md')).toBe(optionsPage(TABLES, SUMMARIES, keysOf));
  expect(schemaOf('recipe')).toMatchObject(JSON.parse(JSON.stringify(schema)));
  expect(schemaOf('config')).toMatchObject(JSON.parse(JSON.stringify(config)));
});

describe('the schema', () => {
  const recipe = (...steps: readonly object[]): object => ({ onnxCompress: 1, steps });

  test('accepts every recipe in the docs', () => {
    const pages = (readdirSync(join(ROOT, 'docs'), { recursive: true }) as string[]).filter((one) =>
      one.endsWith('.md'),
    );
    const recipes = pages.flatMap((page) =>
      [...docs(page).matchAll(/^```json\n([\s\S]*?)^```$/gm)]
        .map((found) => found[1] ?? '')
        .filter((text) => text.includes('"onnxCompress"') && text.includes('"steps"')),
    );
    expect(recipes.length).toBeGreaterThan(0);
    for (const text of recipes) expect([text, fits(schema, JSON.parse(text))]).toEqual([text, true]);
  });

  test.each([
    [{ verb: 'fold' }, true],
    [{ verb: 'prune', l1: 0.4, scope: 'global', exclude: ['fc1'] }, true],
    [{ verb: 'prune', l1: '5000', exclude: 'fc1' }, true],
    [{ verb: 'prune', structured: 'l2', amount: 8, axis: -1 }, true],
    [{ verb: 'prune', nm: '2:4' }, true],
    [{ verb: 'quantize', calibrate: 'random', samples: 64, minElements: '16', int8: true }, true],
    [{ verb: 'quantize', int8: false, uint8: true }, true],
    [{ verb: 'quantize', int8: true, bits: 4 }, true],
    [{ verb: 'quantize', bits: 3 }, false],
    [{ verb: 'convert', opset: 21 }, true],
    [{ verb: 'pack', store: 'auto', allowUnchanged: true }, true],
    [{ verb: 'prun', l1: 0.4 }, false],
    [{ verb: 'verify' }, false],
    [{ l1: 0.4 }, false],
    [{ verb: 'convert' }, false],
    [{ verb: 'prune', scoep: 'global', l1: 0.4 }, false],
    [{ verb: 'prune', scope: 'Global', l1: 0.4 }, false],
    [{ verb: 'prune', l1: true }, false],
    [{ verb: 'prune', l1: -1 }, false],
    [{ verb: 'prune', nm: 24 }, false],
    [{ verb: 'prune', l1: 0.4, exclude: 3 }, false],
    [{ verb: 'quantize', 'weights-only': true }, false],
    [{ verb: 'quantize', weightsOnly: 'yes' }, false],
    [{ verb: 'quantize', samples: 0 }, false],
    [{ verb: 'quantize', minElements: 1.5 }, false],
    [{ verb: 'quantize', int8: true, uint8: true }, false],
    [{ verb: 'quantize', saveRanges: 'x' }, false],
    [{ verb: 'fold', output: 'x' }, false],
  ])('%j: %s', (step, valid) => {
    expect(fits(schema, recipe(step))).toBe(valid);
  });

  test('refuses no steps, too many, another version and unknown keys', () => {
    expect(fits(schema, recipe())).toBe(false);
    expect(fits(schema, recipe(...Array.from({ length: MAX_STEPS }, () => ({ verb: 'fold' }))))).toBe(true);
    expect(fits(schema, recipe(...Array.from({ length: MAX_STEPS + 1 }, () => ({ verb: 'fold' }))))).toBe(false);
    expect(fits(schema, { onnxCompress: 2, steps: [{ verb: 'fold' }] })).toBe(false);
    expect(fits(schema, { ...recipe({ verb: 'fold' }), more: 1 })).toBe(false);
  });
});

describe('the schema of config files', () => {
  test('accepts the examples of the page', () => {
    const [, text = ''] = /^```json\n([\s\S]*?)^```$/m.exec(docs('config.md')) ?? [];
    expect(fits(config, JSON.parse(text))).toBe(true);
  });

  test.each([
    [{}, true],
    [{ $schema: 'https://unpkg.com/onnx-compress@1/schemas/config.schema.json' }, true],
    [{ quantize: { preset: 'smallest', tableBits: 8, noCheck: true }, tune: { maxDrop: '1%' } }, true],
    [{ convert: {} }, true],
    [{ quantise: {} }, false],
    [{ verify: { minSqnr: 20 } }, false],
    [{ quantize: { preset: 'small' } }, false],
    [{ quantize: { int4: true, uint8: true } }, false],
    [{ quantize: { output: 'x' } }, false],
    [{ tune: { saveRecipe: 'x' } }, false],
    [{ prune: { l1: [0.4] } }, false],
    [[], false],
  ])('%j: %s', (file, valid) => {
    expect(fits(config, file)).toBe(valid);
  });
});
