import { describe, expect, test } from '@jest/globals';
import type { ValueInfo } from '../../../src/ir/graph.ts';
import { parseDim } from '../../../src/node/data/expression.ts';
import { OpenDims } from '../../../src/node/data/lengths.ts';

describe('the name of a dim', () => {
  const lengths: Record<string, number> = { a: 6, b: 4, 'past.1': 10, seq_len: 3 };
  const computed = (text: string): number => parseDim(text).valueOf((name) => lengths[name] ?? 100);

  test.each([
    ['a', 6],
    ['a + b', 10],
    ['past.1 + seq_len', 13],
    ['a+b', 10],
    ['past.1 + 1', 11],
    ['a - 1', 5],
    ['2*a', 12],
    ['a*b - b', 20],
    ['a//4', 1],
    ['a/4', 1],
    ['a % b', 2],
    ['((a + b)//2)', 5],
    ['2*((a - 2)//2) + 1', 5],
    ['Max(1, a - 100)', 1],
    ['floor(a/4) + ceiling(b)', 5],
    // No length is below 1.
    ['b - a', 1],
    ['a/0', 1],
  ])('%s is computed', (text, value) => expect(computed(text)).toBe(value));

  test.each([
    'unk__12',
    'batch size',
    'input-1',
    'a +',
    '+ a',
    '(a',
    'a)',
    '3',
    '',
    '1x3',
    'a + 2b',
    'f(a)',
    'toString(a)',
    'Δ',
    'a b',
  ])('%p is a single name', (text) => {
    expect(parseDim(text).names).toEqual([text]);
    expect(parseDim(text).valueOf(() => 7)).toBe(7);
  });

  test('endless parentheses are a single name', () => {
    const deep = `${'('.repeat(1000)}a${')'.repeat(1000)}`;
    expect(parseDim(deep).names).toEqual([deep]);
  });
});

const input = (name: string, dims: ValueInfo['dims'], dtype: ValueInfo['dtype'] = 'float32'): ValueInfo => ({
  name,
  ...(dtype === undefined ? {} : { dtype }),
  ...(dims === undefined ? {} : { dims }),
});

function dims(inputs: readonly ValueInfo[], rows = 2, lengths = new Map<string, number>()): number[][] {
  const open = new OpenDims(inputs);
  return inputs.map((one) => open.dims(one, rows, lengths));
}

test.each<[string, ValueInfo[], number[][]]>([
  ['first dims are rows, others 32', [input('x', ['n', 3, undefined]), input('y', [undefined])], [[2, 3, 32], [2]]],
  [
    'a dim called as rows are is one of them',
    [input('x', ['batch', 8]), input('h', [1, 'batch', 16])],
    [
      [2, 8],
      [1, 2, 16],
    ],
  ],
  [
    'a sum',
    [input('ids', ['b', 's']), input('mask', ['b', 'p + s']), input('past', ['b', 4, 'p', 8])],
    [
      [2, 32],
      [2, 64],
      [2, 4, 32, 8],
    ],
  ],
  [
    'rows times heads',
    [input('ids', ['batch', 's']), input('past', ['2*batch', 's', 8])],
    [
      [2, 32],
      [4, 32, 8],
    ],
  ],
  [
    'a total beside a past and a sequence',
    [
      input('ids', ['b', 'sequence_length']),
      input('mask', ['b', 'total_sequence_length']),
      input('k', ['b', 'past_sequence_length']),
    ],
    [
      [2, 32],
      [2, 64],
      [2, 32],
    ],
  ],
  [
    'a total beside a past and one token',
    [input('ids', ['b', 1]), input('mask', ['b', 'total_length']), input('k', ['b', 4, 'past_length', 8])],
    [
      [2, 1],
      [2, 33],
      [2, 4, 32, 8],
    ],
  ],
  [
    'a state without names, in a model whose rows are open',
    [input('x', [undefined, undefined]), input('state', [4, undefined, 8]), input('mel', [1, 80, 'time'])],
    [
      [2, 32],
      [4, 2, 8],
      [1, 80, 32],
    ],
  ],
  ['an open length of a model that fixes its rows', [input('mel', [1, undefined, 80])], [[1, 32, 80]]],
])('%s', (_, inputs, expected) => expect(dims(inputs)).toEqual(expected));

test('dims with names are chosen by name, others by the kind of their inputs', () => {
  const image = [input('a', ['n', 3, 'h', 'w']), input('b', ['n', 8, 'h2', 'w2'])];
  const groups = new OpenDims(image).groups;
  expect(groups).toHaveLength(2);
  expect(dims(image, 1, new Map([[groups[1] ?? '', 16]]))).toEqual([
    [1, 3, 32, 32],
    [1, 8, 16, 16],
  ]);
  const caches = [0, 1, 2].flatMap((layer) =>
    ['key', 'value'].map((half) => input(`past.${layer}.${half}`, [undefined, 4, undefined, 8])),
  );
  const ids = input('ids', [undefined, undefined], 'int64');
  const mask = input('mask', [undefined, undefined], 'int64');
  expect(new OpenDims([ids, mask, ...caches]).groups).toHaveLength(3);
});
