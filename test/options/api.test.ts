/** The library refuses what the command line refuses: misspelt options, words that are no choice, values of another kind. */
import { expect, test } from '@jest/globals';
import { convert, fold, pack, prune, quantize, quantizeStatic, removeChannels } from '../../src/index.node.ts';

// A program in JavaScript, which no compiler stops.
const anything = (value: unknown): never => value as never;

test.each<[string, () => unknown, string]>([
  [
    'a misspelt option',
    () => quantize(anything({ weightOnly: true })),
    "quantize: there is no option 'weightOnly'. Did you mean 'weightsOnly'?",
  ],
  ['an unknown one', () => quantize(anything({ bananas: 1 })), "quantize: there is no option 'bananas'."],
  [
    'the case of a word',
    () => prune(anything({ method: 'L1', amount: 0.4 })),
    "method: 'L1' is none of l1, l2, linf, random, mask. Did you mean 'l1'?",
  ],
  [
    'the case of another',
    () => prune(anything({ method: 'l1', amount: 0.4, scope: 'Global' })),
    "scope: 'Global' is none of tensor, global. Did you mean 'global'?",
  ],
  ['a type there is not', () => quantize(anything({ dtype: 'int4' })), "dtype: 'int4' is none of int8, uint8."],
  [
    'text for patterns',
    () => quantize(anything({ exclude: 'fc1' })),
    'exclude: takes a list of regular expressions; a string was given',
  ],
  [
    'texts for patterns',
    () => prune(anything({ method: 'l1', amount: 0.4, include: ['fc1'] })),
    'include: takes a list of regular expressions; a list of strings was given',
  ],
  ['a number as text', () => prune(anything({ method: 'l1', amount: '0.4' })), 'amount: takes a number; a string was'],
  [
    'a seed as text',
    () => prune(anything({ method: 'random', amount: 0.4, seed: 'x' })),
    'seed: takes a number; a string',
  ],
  [
    'an axis there is not',
    () => prune(anything({ method: 'l1', amount: 1, axis: 'row' })),
    "axis: 'row' is none of out, in",
  ],
  ['no options', () => prune(anything(undefined)), 'prune: takes options; nothing was given'],
  ['something else', () => convert(anything(21)), 'convert: takes options; a number was given'],
  [
    'a misspelt flag',
    () => convert(anything({ opset: 21, forced: true })),
    "convert: there is no option 'forced'. Did",
  ],
  [
    'a rule there is not',
    () => fold(anything({ rules: ['chain'] })),
    "rules: 'chain' is none of constants, identities",
  ],
  ['a text as a flag', () => pack(anything({ optional: 'yes' })), 'optional: takes true or false; a string was given'],
  [
    'a norm there is not',
    () => removeChannels(anything({ amount: 0.3, norm: 'L2' })),
    "norm: 'L2' is none of l1, l2, wanda. Did you mean 'l2'?",
  ],
  [
    'a type of activations there is not',
    () => quantizeStatic(anything({ ranges: new Map(), activations: 'int4' })),
    "activations: 'int4' is none of uint8, int8.",
  ],
])('%s', (_, call, message) => {
  expect(call).toThrow(expect.objectContaining({ name: 'CompressError', code: 'options' }));
  expect(call).toThrow(message);
});

test('what is undefined is as if it were not there', () => {
  expect(quantize({ dtype: undefined, exclude: undefined } as never).name).toBe('quantize');
});
