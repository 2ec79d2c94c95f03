import { expect, test } from '@jest/globals';
import { nearest } from '../../src/options/nearest.ts';

const WORDS = [
  'help',
  'version',
  'l1',
  'l2',
  'random',
  'dry-run',
  'op-types',
  'include',
  'exclude',
  'external-data',
  'o',
];

test.each([
  ['l3', 'l1'],
  ['hlep', 'help'],
  ['dryrun', 'dry-run'],
  ['dry_run', 'dry-run'],
  ['op-type', 'op-types'],
  ['exlcude', 'exclude'],
  ['incldue', 'include'],
  ['versoin', 'version'],
  ['ext', 'external-data'],
  ['external', 'external-data'],
])('%s means %s', (text, word) => expect(nearest(text, WORDS)).toBe(word));

test.each(['bogus', 'x', 'ab', 'ran', 'format', '__proto__', 'l'.repeat(100_000)])('%.20s means nothing', (text) => {
  expect(
    nearest(
      text,
      WORDS.filter((word) => word !== 'random'),
    ),
  ).toBeUndefined();
});

test('chooses none if two words begin with the text', () => {
  expect(nearest('min-', ['min-elements', 'min-node-sqnr'])).toBeUndefined();
});
