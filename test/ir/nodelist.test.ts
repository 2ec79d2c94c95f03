import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createNode, type Node } from '../../src/ir/node.ts';
import { NodeList } from '../../src/ir/nodelist.ts';

const make = (name: string): Node => createNode({ name, opType: 'Op', inputs: [], outputs: [] });

test('behaves like an array', () => {
  const step = fc.record({ insert: fc.boolean(), at: fc.nat() });
  fc.assert(
    fc.property(fc.nat(5), fc.array(step, { maxLength: 40 }), (start, steps) => {
      const array = Array.from({ length: start }, (_, index) => make(`s${index}`));
      const list = new NodeList(array);
      for (const [count, { insert, at }] of steps.entries()) {
        const index = at % (array.length + 1);
        if (insert) {
          const node = make(`n${count}`);
          list.insert(node, array[index]);
          array.splice(index, 0, node);
        } else if (index < array.length) {
          list.remove(array[index] as Node);
          array.splice(index, 1);
        }
        expect(list.toArray().map((one) => one.name)).toEqual(array.map((one) => one.name));
        expect(list.first).toBe(array[0]);
      }
      expect(array.every((one) => list.has(one))).toBe(true);
    }),
  );
});

test('returns the same array until something changes', () => {
  const list = new NodeList([make('a')]);
  const before = list.toArray();
  expect(list.toArray()).toBe(before);
  list.insert(make('b'));
  expect(list.toArray()).not.toBe(before);
  expect(before.length).toBe(1);
});
