import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  bytesSink,
  calibratedQuantize,
  type DataPruneOptions,
  type Pass,
  prunedByData,
  type QuantizeOptions,
  type ResultsFolder,
  readModel,
  resultsFolder,
  transform,
  writeModel,
} from '../../../src/index.node.ts';
import { removeResults, takeKeptResults } from '../../../src/node/files/resultsFolder.ts';
import { fixture, folder } from '../../support/cli.ts';

const MODEL = fixture('digits-mlp.onnx');
const DATA = { data: fixture('digits-mlp-calib.npz'), samples: 64, batch: 64 };

/** A folder that ends the run, like a signal, after some results. */
function cut(results: ResultsFolder, after: number): ResultsFolder {
  return {
    ...results,
    async open(identity, model) {
      const found = await results.open(identity, model);
      let left = after;
      return {
        earlier: found.earlier,
        read: (index) => found.read(index),
        add(facts, parts) {
          if (left-- === 0) throw new Error('interrupted');
          return found.add(facts, parts);
        },
      };
    },
    remove: () => results.remove(),
  };
}

/** Counts the results that are added. */
function counted(results: ResultsFolder, added: unknown[]): ResultsFolder {
  return {
    ...results,
    async open(identity, model) {
      const found = await results.open(identity, model);
      const add: typeof found.add = (facts, parts) => {
        added.push(facts);
        return found.add(facts, parts);
      };
      return { earlier: found.earlier, read: (index) => found.read(index), add };
    },
    remove: () => results.remove(),
  };
}

async function made(pass: Pass): Promise<{ bytes: Buffer; notes: string }> {
  await using model = await readModel(MODEL);
  const [report] = await transform(model, pass);
  const sink = bytesSink();
  await writeModel(model, sink, { data: 'embed' });
  return { bytes: Buffer.from(sink.bytes()), notes: report?.notes.join('\n') ?? '' };
}

type Make = (results?: ResultsFolder) => Pass;
const quantizes = (options: QuantizeOptions): Make => {
  return (results) => calibratedQuantize(options, { ...DATA, ...(results && { results }) });
};
const prunes = (options: DataPruneOptions): Make => {
  return (results) => prunedByData(options, { ...DATA, ...(results && { results }) });
};

const METHODS: readonly (readonly [string, Make])[] = [
  ['gptq', quantizes({ bits: 4, headBits: 4 })],
  ['awq', quantizes({ bits: 4, headBits: 4, method: 'awq' })],
  ['sparsegpt', prunes({ method: 'sparsegpt', amount: 0.5 })],
  ['sparsegpt, all layers on the unpruned model', prunes({ method: 'sparsegpt', amount: 0.5, parallel: true })],
  ['wanda', prunes({ method: 'wanda', amount: 0.5 })],
];

test('results are closed with the model that reads them', async () => {
  const closers: (() => Promise<void>)[] = [];
  const results = resultsFolder(join(folder(), 'small.resume'));
  const file = await results.open({ model: 'm' }, { onClose: (close) => void closers.push(close) });
  const { parts } = await file.add({}, [new Uint8Array([1, 2, 3])]);
  expect(await parts[0]?.()).toEqual(new Uint8Array([1, 2, 3]));
  for (const close of closers) await close();
  await expect(parts[0]?.()).rejects.toThrow();
  await results.remove();
});

describe('a run that was interrupted', () => {
  test.each(METHODS)('%s: continues with the stored results, and gives the same bytes', async (_, make) => {
    const all: unknown[] = [];
    const whole = await made(make(counted(resultsFolder(join(folder(), 'whole.resume')), all)));
    await removeResults();
    const path = join(folder(), 'small.resume');
    await expect(made(make(cut(resultsFolder(path), 1)))).rejects.toThrow('interrupted');
    expect(readdirSync(path)).toEqual(['1.results']);
    expect(takeKeptResults()).toEqual([{ path, count: 1 }]);
    const added: unknown[] = [];
    const resumed = resultsFolder(path, { resume: true });
    const found = await made(make(counted(resumed, added)));
    expect(found.bytes.equals(whole.bytes)).toBe(true);
    expect(found.notes).toContain('resumed: the results of 1 layer come from an interrupted run');
    expect(added).toEqual(all.slice(1));
    await removeResults();
    expect(existsSync(path)).toBe(false);
  });

  const [, make] = METHODS[2] as (typeof METHODS)[number];

  test('computes a truncated record again', async () => {
    const whole = await made(make());
    const path = join(folder(), 'small.resume');
    await expect(made(make(cut(resultsFolder(path), 2)))).rejects.toThrow('interrupted');
    const file = join(path, '1.results');
    truncateSync(file, statSync(file).size - 1);
    const found = await made(make(resultsFolder(path, { resume: true })));
    expect(found.notes).toContain('resumed: the results of 1 layer come');
    expect(found.bytes.equals(whole.bytes)).toBe(true);
  });

  test('is not continued by a run with other options, which says what differs', async () => {
    const path = join(folder(), 'small.resume');
    await expect(made(make(cut(resultsFolder(path), 1)))).rejects.toThrow('interrupted');
    const resumed = (other: Make): Promise<unknown> => made(other(resultsFolder(path, { resume: true })));
    const file = join(path, '1.results');
    await expect(resumed(prunes({ method: 'sparsegpt', amount: 0.6 }))).rejects.toThrow(
      `${file}: contains the results of another run, which differs in: options`,
    );
    const other = (results?: ResultsFolder): Pass =>
      prunedByData(
        { method: 'sparsegpt', amount: 0.5 },
        { ...DATA, samples: 32, batch: 64, ...(results && { results }) },
      );
    await expect(resumed(other)).rejects.toThrow('which differs in: options, data');
    // A new run removes the old results.
    await made(make(resultsFolder(path)));
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, 40));
    await expect(resumed(make)).rejects.toThrow(`${file}: contains no layer results`);
  });
});
