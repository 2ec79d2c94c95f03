import { expect, test } from '@jest/globals';
import { overlapped } from '../../src/passes/overlapped.ts';

/** Jobs that the test ends. */
function jobs(): { begun: number[]; end: ((failed?: Error) => void)[]; begin: (item: number) => Promise<string> } {
  const begun: number[] = [];
  const end: ((failed?: Error) => void)[] = [];
  return {
    begun,
    end,
    begin: (item) =>
      new Promise((resolve, reject) => {
        begun.push(item);
        end[item] = (failed) => (failed === undefined ? resolve(`done ${item}`) : reject(failed));
      }),
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('runs several jobs at a time, and gives results in order', async () => {
  const { begun, end, begin } = jobs();
  const results: string[] = [];
  const all = (async () => {
    for await (const one of overlapped([0, 1, 2, 3, 4], (item) => (item < 4 ? 3 : 1), begin)) results.push(one);
  })();
  await turn();
  expect(begun).toEqual([0, 1, 2]);
  end[2]?.();
  end[0]?.();
  await turn();
  expect(begun).toEqual([0, 1, 2, 3]);
  expect(results).toEqual(['done 0']);
  end[1]?.();
  end[3]?.();
  await turn();
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  end[4]?.();
  await all;
  expect(results).toEqual(['done 0', 'done 1', 'done 2', 'done 3', 'done 4']);
});

test('after an error waits for jobs that have begun', async () => {
  const { begun, end, begin } = jobs();
  let failed: unknown;
  const all = (async () => {
    for await (const _ of overlapped([0, 1, 2], () => 2, begin));
  })().catch((cause: unknown) => {
    failed = cause;
  });
  await turn();
  end[0]?.(new Error('no'));
  await turn();
  expect([failed, begun]).toEqual([undefined, [0, 1]]);
  end[1]?.();
  await all;
  expect(failed).toEqual(new Error('no'));
});
