import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bytesSink } from '../../src/bytes/sink.ts';
import { CompressError } from '../../src/errors.ts';
import { print } from '../../src/ir/print.ts';
import { readModel, writeModel } from '../../src/node/model.ts';
import { damage, damaged } from '../support/mutate.ts';

const fixtures = new URL('../../fixtures/', import.meta.url).pathname;
const edge = readdirSync(`${fixtures}edge`).filter((name) => name.endsWith('.onnx'));
const files = ['digits-mlp.onnx', ...edge.map((name) => `edge/${name}`)].map((name) => readFileSync(fixtures + name));

/** Runs the work; it may only throw our own errors. */
async function orSentence(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    if (!(cause instanceof CompressError) || cause.code === 'internal') throw cause;
    expect(cause.message).toMatch(/^<bytes>/);
  }
}

test('refuses a damaged file with a sentence, or reads and copies it byte for byte', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...files),
      fc.array(damage, { minLength: 1, maxLength: 4 }),
      async (file, damages) => {
        const bytes = damaged(file, damages);
        await orSentence(async () => {
          const model = await readModel(bytes);
          print(model);
          const sink = bytesSink();
          await writeModel(model, sink);
          expect(Buffer.compare(sink.bytes(), bytes)).toBe(0);
          // Weights too: those of an accepted file load, or give an error.
          for (const graph of model.graphs()) {
            for (const tensor of graph.initializers.values()) {
              if (tensor.dtype === 'string') continue;
              await orSentence(async () => expect((await tensor.load()).byteLength).toBe(tensor.byteLength));
            }
            for (const node of graph.nodes) graph.replaceNode(node, { ...node });
          }
          const rewritten = bytesSink();
          await writeModel(model, rewritten);
          const again = await readModel(rewritten.bytes());
          expect(print(again)).toBe(print(model));
        });
      },
    ),
    { numRuns: Number(process.env['FUZZ_RUNS'] ?? 2000) },
  );
}, 3_600_000);
