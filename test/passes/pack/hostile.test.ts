import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import onnxProto, { type onnx as types } from 'onnx-proto';
import { CompressError, convert, fold, pack, print, prune, quantize, unpack } from '../../../src/index.node.ts';
import { bytesOf, modelOf, pass } from '../../support/model.ts';
import { product, sparseWeight } from './support.ts';

const { onnx } = onnxProto;

/** A packed file that was tampered with. */
async function tampered(
  change: (model: types.IModelProto & { graph: types.IGraphProto }) => void,
  dims: readonly number[] = [32, 32],
): Promise<Uint8Array> {
  const { bytes } = await pass(product(sparseWeight('float32', dims, 0.8)), pack());
  const model = onnx.ModelProto.decode(bytes);
  change(model as never);
  return onnx.ModelProto.encode(model).finish();
}

const initializer = (model: { graph: types.IGraphProto }, name: string): types.ITensorProto => {
  const found = model.graph.initializer?.find((one) => one.name === name);
  if (found === undefined) throw new Error(name);
  return found;
};

const dimsData = (...dims: number[]): Uint8Array => new Uint8Array(BigInt64Array.from(dims, BigInt).buffer);

describe('a packed weight whose parts do not fit together is not changed, with a reason', () => {
  const cases: [string, string, Parameters<typeof tampered>[0]][] = [
    [
      'more bits than values',
      'bits set for',
      (model) => {
        const mask = initializer(model, 'mask');
        mask.rawData = Uint8Array.from(mask.rawData ?? []).fill(0xff, 0, 2);
      },
    ],
    [
      'fewer bits than values',
      'bits set for',
      (model) => {
        const mask = initializer(model, 'mask');
        mask.rawData = new Uint8Array(mask.rawData?.length ?? 0);
      },
    ],
    [
      'dims of another size',
      'its dims are [32,33], its mask has 128 bytes',
      (model) => {
        initializer(model, 'dims').rawData = dimsData(32, 33);
      },
    ],
    [
      'dims that are negative',
      'its dims are [-32,-32]',
      (model) => {
        initializer(model, 'dims').rawData = dimsData(-32, -32);
      },
    ],
    [
      'dims beyond every number',
      'its dims are',
      (model) => {
        initializer(model, 'dims').rawData = dimsData(2 ** 53, 2 ** 53);
      },
    ],
    [
      'bits behind the last element',
      'its mask has bits after the last element',
      (model) => {
        const mask = initializer(model, 'mask');
        const bytes = Uint8Array.from(mask.rawData ?? []);
        bytes[bytes.length - 1] = 0xff;
        mask.rawData = bytes;
      },
    ],
    [
      'a mask in a row',
      'its mask is uint8 [1,128]',
      (model) => {
        initializer(model, 'mask').dims = [1, 128];
      },
    ],
    [
      'values that are a matrix',
      'its values are float32',
      (model) => {
        const kept = initializer(model, 'kept');
        kept.dims = [...(kept.dims ?? []), 1];
      },
    ],
    [
      'a mask that a caller may feed',
      'its mask or values are not constants of its own',
      (model) => {
        model.graph.input?.push({ name: 'mask', type: { tensorType: { elemType: 2 } } });
      },
    ],
    [
      'dims that a caller may feed',
      'its dims are not constant',
      (model) => {
        model.graph.input?.push({ name: 'dims', type: { tensorType: { elemType: 7 } } });
      },
    ],
    [
      'a mask that is its values too',
      'its mask or values are not constants of its own',
      (model) => {
        const node = model.graph.node?.find((one) => one.opType === 'Unpack');
        if (node?.input) node.input[1] = 'mask';
      },
    ],
    [
      'an input too few',
      'its node has unexpected inputs or outputs',
      (model) => {
        model.graph.node?.find((one) => one.opType === 'Unpack')?.input?.pop();
      },
    ],
  ];
  test.each(cases)('%s', async (name, fact, change) => {
    const bytes = await tampered(change, name.startsWith('bits') ? [33, 33] : [32, 32]);
    const before = print(await modelOf(bytes));
    const { report, model } = await pass(bytes, unpack());
    expect(report.changes).toEqual([]);
    expect(report.notes).toEqual([expect.stringContaining(`'w' is packed and left as it is: `)]);
    expect(report.notes[0]).toContain(fact);
    expect(print(model)).toBe(before);
    // The other verbs work; those that look into functions may inline it.
    for (const verb of [prune({ method: 'l1', amount: 0.5 }), quantize(), fold(), pack()]) {
      const passed = await pass(bytes, verb);
      expect(passed.report.notes.join()).toContain(fact);
    }
  });
});

describe('a different function is not taken for ours', () => {
  const changes: [string, (node: types.INodeProto[]) => void][] = [
    ['another operator', (nodes) => Object.assign(nodes[5] ?? {}, { opType: 'Div' })],
    [
      'another constant',
      (nodes) => Object.assign(nodes[0]?.attribute?.[0]?.t ?? {}, { rawData: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 6) }),
    ],
    ['another attribute', (nodes) => nodes[9]?.attribute?.push({ name: 'exclusive', type: 2, i: 1 })],
    ['another input', (nodes) => Object.assign(nodes[10] ?? {}, { input: ['c', 'c'] })],
    ['a node more', (nodes) => nodes.push({ opType: 'Identity', input: ['weight'], output: ['more'] })],
  ];
  test.each(changes)('%s', async (_, change) => {
    const bytes = await tampered((model) => change(model.functions?.[0]?.node ?? []));
    const { report, bytes: written } = await pass(bytes, unpack());
    expect(report).toMatchObject({ changes: [], notes: [] });
    expect(Buffer.compare(written, bytes)).toBe(0);
  });
});

test('damaged packed files are refused or read, but never crash', async () => {
  const whole = await tampered(() => {});
  const verbs = [
    () => unpack(),
    () => pack({ store: 'auto' }),
    () => prune({ method: 'l1', amount: 0.9 }),
    () => convert({ opset: 21 }),
  ];
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), fc.nat(verbs.length - 1), async (at, byte, verb) => {
      const bytes = Uint8Array.from(whole);
      bytes[at] = byte;
      try {
        const model = await modelOf(bytes);
        await verbs[verb]?.().run(model);
        await bytesOf(model);
      } catch (cause) {
        expect(cause).toBeInstanceOf(CompressError);
        expect((cause as CompressError).code).not.toBe('internal');
      }
    }),
    { numRuns: 400 },
  );
});
