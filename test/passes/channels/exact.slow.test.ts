import { expect, test } from '@jest/globals';
import { inputOf, removal } from '../../support/channels.ts';
import { IMAGE, randomNetwork } from '../../support/networks.ts';
import { seeded } from '../../support/random.ts';

const NETWORKS = 120;

test('on random networks, removal equals zeroing the columns of the removed channels', async () => {
  const seen = new Map<string, number>();
  let changed = 0;
  for (let seed = 1; seed <= NETWORKS; seed++) {
    const next = seeded(seed);
    const { bytes, parts } = randomNetwork(next, 1 + Math.floor(next() * 5));
    const options = {
      amount: 0.2 + 0.5 * next(),
      norm: next() < 0.5 ? ('l1' as const) : ('l2' as const),
      scope: next() < 0.3 ? ('global' as const) : ('group' as const),
      roundTo: next() < 0.3 ? 2 : 1,
    };
    const found = await removal(bytes, options, { x: inputOf(IMAGE, next) }).catch((cause: unknown) => {
      throw new Error(`seed ${seed}, ${parts.join(' ')}: ${String(cause)}`, { cause });
    });
    if (!(found.sqnr > 80)) throw new Error(`seed ${seed}, ${parts.join(' ')}: ${found.sqnr} dB`);
    if (found.changes > 0) changed++;
    expect(found.after).toBeLessThanOrEqual(found.before);
    for (const part of parts) seen.set(part, (seen.get(part) ?? 0) + (found.changes > 0 ? 1 : 0));
  }
  // Most networks do change.
  expect(changed).toBeGreaterThan(NETWORKS * 0.9);
  expect(seen.size).toBe(14);
  for (const [part, count] of seen) expect([part, count > 3]).toEqual([part, true]);
});
