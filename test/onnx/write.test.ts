import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { bytesSink } from '../../src/bytes/sink.ts';
import type { Graph } from '../../src/ir/graph.ts';
import type { Model } from '../../src/ir/model.ts';
import { attribute, createNode } from '../../src/ir/node.ts';
import { constant, derived } from '../../src/ir/tensor.ts';
import { streamSink } from '../../src/node/files/standard.ts';
import { readModel, writeModel } from '../../src/node/model.ts';
import { planModel } from '../../src/onnx/plan.ts';
import { expectSame } from '../support/oracle.ts';

const fixture = (name: string): string => new URL(`../../fixtures/${name}.onnx`, import.meta.url).pathname;
const MIB = 1 << 20;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'write-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Replaces every initializer by zeros of the same shape, computed while they are written. */
function zero(graph: Graph): void {
  for (const one of [...graph.initializers.values()]) {
    graph.setInitializer(derived(one.name, one.dtype, one.dims, async () => new Uint8Array(one.byteLength), one.extra));
  }
}

async function failing(name: string): Promise<Model> {
  const model = await readModel(fixture(name));
  model.graph.setInitializer(
    derived('zz', 'float32', [2 * MIB], async () => {
      throw new Error('no');
    }),
  );
  return model;
}

describe('plans lengths before anything is computed', () => {
  test.each(['edge/if-branch-matmul', 'edge/constant-node-weights', 'digits-vit', 'edge/fp16-weights'])(
    '%s',
    async (name) => {
      const model = await readModel(fixture(name));
      let computed = 0;
      for (const graph of model.graphs()) {
        zero(graph);
        for (const node of graph.nodes) {
          const attributes = node.attributes.map((one) => {
            if (one.type !== 'tensor') return one;
            const { name, dtype, dims, byteLength } = one.value;
            return attribute.tensor(
              one.name,
              derived(name, dtype, dims, async () => {
                computed++;
                return new Uint8Array(byteLength).fill(1);
              }),
            );
          });
          if (attributes.some((one, index) => one !== node.attributes[index]))
            graph.replaceNode(node, { ...node, attributes });
        }
      }
      const plan = planModel(model);
      expect(computed).toBe(0);
      const path = join(folder, 'out.onnx');
      const written = await writeModel(model, path);
      const bytes = await readFile(path);
      expect([bytes.length, written.byteLength]).toEqual([plan.byteLength, plan.byteLength]);
      await expectSame(bytes, model);
      await model.close();
    },
  );
});

test('writes new nodes with every kind of attribute, new weights and a new opset', async () => {
  const model = await readModel(fixture('mymodel'));
  const [first] = model.graph.nodes;
  if (first === undefined) throw new Error('no node');
  model.graph.insertBefore(
    first,
    createNode({
      opType: 'Foo',
      domain: 'my.domain',
      name: 'new',
      inputs: ['', 'a'],
      outputs: ['b', ''],
      attributes: [
        attribute.int('i', -(2n ** 63n)),
        attribute.ints('is', [1, -1, 2n ** 62n]),
        attribute.float('f', -0.5),
        attribute.string('s', 'ü😀'),
        attribute.tensor('t', constant('c', 'int4', [3], Uint8Array.of(0x21, 0x03))),
        { name: 'fs', type: 'floats', value: [1, Number.POSITIVE_INFINITY] },
        { name: 'ss', type: 'strings', value: ['a', ''] },
        { name: 'empty', type: 'ints', value: [] },
      ],
    }),
  );
  model.graph.setInitializer(constant('bf', 'bfloat16', [2], Uint16Array.of(1, 2)));
  model.graph.setInitializer(constant('scalar', 'uint64', [], BigUint64Array.of(2n ** 64n - 1n)));
  model.setOpset(23);
  const sink = bytesSink();
  await writeModel(model, sink);
  await expectSame(sink.bytes(), model);
  const again = await readModel(sink.bytes());
  expect(again.graph.nodes[0]).toEqual({ ...model.graph.nodes[0], attributes: expect.anything() });
  expect(again.graph.nodes[0]?.attributes.at(-1)).toEqual({ name: 'empty', type: 'ints', value: [] });
  await model.close();
});

describe('files', () => {
  test('are not written if a tensor fails, neither new nor over an old file', async () => {
    const model = await failing('digits-mlp');
    const out = join(folder, 'out.onnx');
    await expect(writeModel(model, out)).rejects.toThrow('no');
    await expect(writeModel(model, out, { data: 'external' })).rejects.toThrow('no');
    expect(await readdir(folder)).toEqual([]);
    await writeFile(out, 'old');
    await expect(writeModel(model, out, { overwrite: true })).rejects.toThrow('no');
    expect(await readdir(folder)).toEqual(['out.onnx']);
    expect(await readFile(out, 'utf8')).toBe('old');
    await model.close();
  });

  test('appear under their names only when they are complete', async () => {
    const model = await readModel(fixture('digits-mlp'));
    const seen: string[][] = [];
    model.graph.setInitializer(
      derived('zz', 'float32', [2 * MIB], async () => {
        seen.push(await readdir(folder));
        return new Uint8Array(8 * MIB);
      }),
    );
    await writeModel(model, join(folder, 'out.onnx'));
    expect(seen.flat()).toEqual([
      expect.stringMatching(/^\.out\.onnx\.[0-9a-f]{8}-[0-9a-f]{8}-\d+-\d+-[0-9a-f]{12}\.tmp$/),
    ]);
    expect(await readdir(folder)).toEqual(['out.onnx']);
    await model.close();
  });

  test('are not replaced without permission', async () => {
    const model = await readModel(fixture('mymodel'));
    const out = join(folder, 'out.onnx');
    await writeFile(out, 'old');
    await expect(writeModel(model, out)).rejects.toMatchObject({
      code: 'exists',
      message: `${out}: the file already exists`,
    });
    expect(await readFile(out, 'utf8')).toBe('old');
    await writeModel(model, out, { overwrite: true });
    expect(Buffer.compare(await readFile(out), await readFile(fixture('mymodel')))).toBe(0);
    await expect(writeModel(model, folder)).rejects.toMatchObject({
      code: 'io',
      message: `${folder}: is a folder, not a file`,
    });
    await expect(writeModel(model, join(folder, 'no', 'x.onnx'))).rejects.toMatchObject({ code: 'io' });
    await model.close();
  });

  test('a tensor of the wrong length is an internal error', async () => {
    const model = await readModel(fixture('mymodel'));
    model.graph.setInitializer(derived('zz', 'float32', [2], async () => new Uint8Array(7)));
    await expect(writeModel(model, bytesSink())).rejects.toMatchObject({
      code: 'internal',
      message: 'zz: 7 bytes were computed; 8 were promised',
    });
    await model.close();
  });

  test('may be written over the file that the model is read from', async () => {
    const path = join(folder, 'in.onnx');
    await writeFile(path, await readFile(fixture('digits-mlp')));
    const model = await readModel(path);
    model.graph.setInitializer(constant('zz', 'int8', [1], Int8Array.of(1)));
    await writeModel(model, path, { overwrite: true });
    await expectSame(await readFile(path), model);
    await model.close();
  });
});

describe('streams', () => {
  test('give an io error if the reader is gone', async () => {
    const model = await readModel(fixture('digits-mlp'));
    const gone = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    });
    await expect(writeModel(model, streamSink(gone))).rejects.toMatchObject({
      code: 'io',
      message: '<stdout>: the command that reads the output has stopped',
    });
    await model.close();
  });

  test('wait for a slow reader, with at most a few MiB in flight', async () => {
    const model = await readModel(fixture('mymodel'));
    model.graph.setInitializer(derived('zz', 'float32', [8 * MIB], async () => new Uint8Array(32 * MIB)));
    let most = 0;
    let total = 0;
    const slow = new Writable({
      write(chunk: Uint8Array, _encoding, done) {
        most = Math.max(most, this.writableLength);
        total += chunk.byteLength;
        setTimeout(done, 1);
      },
    });
    const written = await writeModel(model, streamSink(slow));
    expect(total).toBe(written.byteLength);
    expect(most).toBeLessThanOrEqual(2 * MIB);
    await model.close();
  });

  test('cannot have a data file', async () => {
    const model = await readModel(fixture('mymodel'));
    await expect(writeModel(model, bytesSink(), { data: 'external' })).rejects.toMatchObject({ code: 'options' });
    await model.close();
  });
});

describe('more than 2 GiB', () => {
  const huge = async (): Promise<Model> => {
    const model = await readModel(fixture('mymodel'));
    for (let index = 0; index < 5; index++) {
      model.graph.setInitializer(
        derived(`huge${index}`, 'float32', [2 ** 27, 1], () => Promise.reject(new Error('loaded'))),
      );
    }
    return model;
  };

  test('do not fit a stream', async () => {
    const model = await huge();
    expect(() => planModel(model)).toThrow(/^the model would have 2\d{9} bytes; ONNX files are smaller than 2 GiB$/);
    await expect(writeModel(model, bytesSink())).rejects.toMatchObject({
      code: 'limit',
      hint: 'Write it with -o, which stores its weights in a data file next to it.',
    });
    expect(() => planModel(model, { mode: 'embed', dataName: 'x.data' })).toThrow('ONNX files are smaller than 2 GiB');
    await model.close();
  });

  test('are written to a data file beside the model', async () => {
    const model = await huge();
    const plan = planModel(model, { dataName: 'out.onnx.data' });
    expect(plan.byteLength).toBeLessThan(10_000);
    expect(plan.data[0]?.byteLength).toBeGreaterThan(5 * 2 ** 29);
    expect(plan.data[0]?.location).toBe('out.onnx.data');
    await model.close();
  });
});
