import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { readModel } from '../../../src/index.node.ts';
import { checkedChannels } from '../../../src/node/recipes/channels.ts';
import { ROOT } from '../../support/cli.ts';
import { bytesOf } from '../../support/model.ts';

const NAMES = ['', 'awkward', 'edge'].flatMap((folder) =>
  readdirSync(join(ROOT, 'fixtures', folder))
    .filter((name) => name.endsWith('.onnx'))
    .map((name) => join('fixtures', folder, name)),
);

test('every fixture keeps its output shapes, or does not change and has a reason for each weight', async () => {
  const changed: string[] = [];
  for (const name of NAMES) {
    const model = await readModel(join(ROOT, name));
    const run = { data: undefined, describeGroups: 'all' as const, onProgress() {} };
    const report = await checkedChannels({ amount: 0.5, roundTo: 1, normalized: true }, run)
      .run(model)
      .catch((cause: unknown) => {
        throw new Error(`${name}: ${String(cause)}`, { cause });
      });
    if (report.changes.length > 0) changed.push(name);
    for (const one of report.skips) expect([name, one.detail.length > 10]).toEqual([name, true]);
    expect((await bytesOf(model)).length).toBeGreaterThan(0);
    await model.close();
  }
  expect(NAMES.length).toBeGreaterThan(70);
  expect(changed.length).toBeGreaterThan(8);
}, 240_000);
