/** Matching always ends, for expressions of users and of models, and agrees with JavaScript. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { quantize } from '../../src/index.ts';
import { matches, setPatternTester } from '../../src/layers/pattern.ts';
import { boundedTester } from '../../src/node/patterns.ts';
import { f32 } from '../support/build.ts';
import { pass } from '../support/model.ts';

/** A name on which backtracking takes for ever. */
const LONG = `${'a'.repeat(5_000)}!`;
const boundedTest = boundedTester(200);
const plain = (expression: RegExp, names: readonly string[]): boolean => names.some((name) => expression.test(name));

beforeAll(() => setPatternTester(boundedTest));
afterAll(() => setPatternTester(plain));

test.each(['(a+)+$', '^(a|a)*$', '^(a|aa)+$', '(.*)*x', '(?:a?){60}a{60}$', '.*.*.*.*.*.*.*#$', '(a+)+\\1#'])(
  'what would take for ever is refused with its name: %s',
  (source) => {
    expect(() => matches(new RegExp(source, 'u'), ['short', LONG])).toThrow(
      expect.objectContaining({
        code: 'limit',
        message: `the expression '${source}': takes more than 0.2 seconds on the names of this model`,
      }),
    );
  },
);

test('a long expression is cut in the message', () => {
  const source = `(?:${'b'.repeat(200)}|(a+)+)$`;
  expect(() => matches(new RegExp(source, 'u'), [LONG])).toThrow(`the expression '${source.slice(0, 100)}…': takes`);
});

test('an expression that takes long for all names together is refused, however short each name is', () => {
  const expression = /(a+)+$/u;
  const names = Array.from({ length: 100 }, (_, at) => `${'a'.repeat(23)}${at}!`);
  expect(() => {
    for (let round = 0; round < 10_000; round++) for (const name of names) matches(expression, [name]);
  }).toThrow('takes more than 0.2 seconds');
}, 120_000);

test('even such an expression selects names of ordinary length', async () => {
  const square = f32(
    [4, 4],
    Array.from({ length: 16 }, (_, at) => at + 1),
  );
  const nodes = ['aaaa!', 'aaaa'].map((name, at) => ({
    op: 'MatMul',
    name: `n${at}`,
    in: [`h${at}`, name],
    out: [`h${at + 1}`],
  }));
  const initializers = { 'aaaa!': square, aaaa: square };
  const spec = { opset: 13, inputs: { h0: f32([1, 4]) }, outputs: { h2: f32() }, nodes, initializers };
  const { report } = await pass(spec, quantize({ minElements: 0, exclude: [/(a+)+$/] }));
  expect(report.changes.map((one) => one.weight)).toEqual(['aaaa!']);
  expect(report.skips).toMatchObject([{ weight: 'aaaa', reason: 'excluded_by_user' }]);
});

describe('fast expressions run in JavaScript', () => {
  test.each([
    ['lm_head', false],
    ['layers\\.[0-9]+.self_attn', true],
    ['.*attn.*weight', false],
    ['^model\\.layers\\.(0|1|2|11)\\.', false],
    ['^(?!.*lm_head).*proj', true],
  ])('%s', (source, expected) => {
    setPatternTester(() => {
      throw new Error('this one may take long');
    });
    try {
      expect(matches(new RegExp(source, 'u'), ['/model/layers.11/self_attn/q_proj/MatMul'])).toBe(expected);
    } finally {
      setPatternTester(boundedTest);
    }
  });
});

test('an expression with state is reset before each test', () => {
  const expression = /a/g;
  expect([['ab'], ['ab'], ['b']].map((names) => matches(expression, names))).toEqual([true, true, false]);
  expect(matches(/b/y, ['ab'])).toBe(false);
  const slow = /(a)+/g;
  expect([['ab'], ['ab'], ['b']].map((names) => matches(slow, names))).toEqual([true, true, false]);
});

test('the bounded test agrees with JavaScript', () => {
  const sources = fc.constantFrom('(a|b)+', '(?:ab)*1', '^(a{2})+$', '(\\w+)\\.\\1', '(?<!a)+b', 'é(é)?$');
  const texts = fc.string({ unit: fc.constantFrom('a', 'b', '1', '.', 'é', '\n'), maxLength: 8 });
  fc.assert(
    fc.property(sources, fc.constantFrom('', 'u', 'i'), fc.array(texts, { maxLength: 3 }), (source, flags, names) => {
      let expression: RegExp;
      try {
        expression = new RegExp(source, flags);
      } catch {
        return;
      }
      expect(boundedTest(expression, names)).toBe(plain(expression, names));
    }),
  );
});
