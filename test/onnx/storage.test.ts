import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bitsOf, byteLengthOf, DTYPES, type DType, dtypeNumber } from '../../src/ir/dtype.ts';
import type { Tensor } from '../../src/ir/tensor.ts';
import { readModel } from '../../src/node/model.ts';
import { concat, field, fixed32, fixed64, int, modelBytes, tensorBytes, varint } from '../support/wire.ts';

const NUMERIC = DTYPES.filter((dtype) => dtype !== 'undefined' && dtype !== 'string');

async function initializer(...fields: Uint8Array[]): Promise<Tensor> {
  const model = await readModel(modelBytes(field(5, ...fields)));
  return model.graph.initializers.get('w') as Tensor;
}

/** How a typed field stores an element: its tag, and its bytes in a packed list. */
interface Typed {
  readonly number: number;
  readonly unpacked: Uint8Array[];
  readonly packed: Uint8Array;
}

/** The raw bytes of a tensor converted to the typed field of its dtype. */
function typedOf(dtype: DType, raw: Uint8Array): Typed {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const units = (size: number): number[] => Array.from({ length: raw.length / size }, (_, index) => index * size);
  const numbers = (number: number, values: bigint[]): Typed => ({
    number,
    unpacked: values.map((value) => int(number, value)),
    packed: concat(...values.map(varint)),
  });
  switch (dtype) {
    case 'float32':
    case 'complex64':
      return { number: 4, packed: raw, unpacked: units(4).map((at) => fixed32(4, view.getUint32(at, true))) };
    case 'float64':
    case 'complex128':
      return { number: 10, packed: raw, unpacked: units(8).map((at) => fixed64(10, view.getBigUint64(at, true))) };
    case 'int64':
      return numbers(
        7,
        units(8).map((at) => view.getBigInt64(at, true)),
      );
    case 'uint64':
      return numbers(
        11,
        units(8).map((at) => view.getBigUint64(at, true)),
      );
    case 'uint32':
      return numbers(
        11,
        units(4).map((at) => BigInt(view.getUint32(at, true))),
      );
    case 'int32':
      return numbers(
        5,
        units(4).map((at) => BigInt(view.getInt32(at, true))),
      );
    case 'int16':
      return numbers(
        5,
        units(2).map((at) => BigInt(view.getInt16(at, true))),
      );
    case 'int8':
      return numbers(
        5,
        units(1).map((at) => BigInt(view.getInt8(at))),
      );
    default: {
      const size = bitsOf(dtype) === 16 ? 2 : 1;
      return numbers(
        5,
        units(size).map((at) => BigInt(size === 2 ? view.getUint16(at, true) : view.getUint8(at))),
      );
    }
  }
}

const counted = (dtype: DType): fc.Arbitrary<{ count: number; raw: Uint8Array }> =>
  fc.integer({ min: 1, max: 40 }).chain((count) => {
    const bytes = byteLengthOf(dtype, count);
    return fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((raw) => ({ count, raw }));
  });

describe.each(NUMERIC)('%s', (dtype) => {
  test('typed fields, packed, unpacked or both, load the same as raw_data', async () => {
    await fc.assert(
      fc.asyncProperty(counted(dtype), fc.nat(), async ({ count, raw }, cut) => {
        const typed = typedOf(dtype, raw);
        const split = cut % typed.unpacked.length;
        const stored = bitsOf(dtype) >= 32 && !['uint32', 'int32', 'int64', 'uint64'].includes(dtype);
        const start = stored ? (raw.length / typed.unpacked.length) * split : 0;
        const forms = [
          [field(9, raw)],
          [field(typed.number, typed.packed)],
          typed.unpacked,
          [typed.unpacked[0] as Uint8Array, int(900, 1), ...typed.unpacked.slice(1)],
          stored ? [...typed.unpacked.slice(0, split), field(typed.number, raw.subarray(start))] : [field(9, raw)],
        ];
        for (const form of forms) {
          const tensor = await initializer(tensorBytes('w', dtypeNumber(dtype), [count], ...form));
          expect(tensor.byteLength).toBe(raw.length);
          expect(Buffer.from(await tensor.load()).equals(raw)).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('has no elements if a dim is 0, and one element without dims', async () => {
    expect((await (await initializer(tensorBytes('w', dtypeNumber(dtype), [3, 0]))).load()).length).toBe(0);
    const raw = new Uint8Array(byteLengthOf(dtype, 1)).fill(1);
    const scalar = await initializer(tensorBytes('w', dtypeNumber(dtype), [], field(9, raw)));
    expect([...(await scalar.load())]).toEqual([...raw]);
  });

  test('is refused if its bytes do not fit the shape', async () => {
    const short = tensorBytes('w', dtypeNumber(dtype), [1000], field(9, new Uint8Array(3)));
    await expect(initializer(short)).rejects.toThrow(
      `<bytes>, graph.initializer[0] 'w': raw_data has 3 bytes; ${dtype} [1000] needs ${byteLengthOf(dtype, 1000)}`,
    );
  });
});

test('values out of range are cut to the width of the dtype', async () => {
  const tensor = await initializer(tensorBytes('w', dtypeNumber('int8'), [2], int(5, -1), int(5, 0x1ff)));
  expect([...(await tensor.load())]).toEqual([255, 255]);
});

test('strings are counted, never loaded', async () => {
  const tensor = await initializer(tensorBytes('w', 8, [2], field(6, 'ab'), field(6, 'cdé')));
  expect([tensor.dtype, tensor.byteLength]).toEqual(['string', 6]);
  await expect(tensor.load()).rejects.toThrow('a string tensor cannot be loaded as numbers');
  await expect(initializer(tensorBytes('w', 8, [3], field(6, 'ab')))).rejects.toThrow(
    'string_data has 1 strings; string [3] needs 3',
  );
});

const float = dtypeNumber('float32');
test.each([
  ['no data', [], 'has no data; float32 [2] needs 8 bytes'],
  ['a wrong field', [int(7, 1), int(7, 2)], 'float32 [2] has its data in field 7; ONNX stores it in field 4'],
  ['too many floats', [field(4, new Uint8Array(12))], 'has 3 numbers; float32 [2] needs 2'],
  ['half a float', [field(4, new Uint8Array(6))], 'has 1.5 numbers; float32 [2] needs 2'],
  ['data twice', [field(4, new Uint8Array(8)), field(9, new Uint8Array(8))], 'has its data in more than one place'],
  ['segments', [field(3, int(1, 0)), field(9, new Uint8Array(8))], 'is stored in segments'],
])('%s is refused', async (_, fields, message) => {
  await expect(initializer(tensorBytes('w', float, [2], ...fields))).rejects.toThrow(message);
});

test('a typed list that is too long or broken is refused at loading, one that is too short at once', async () => {
  const load = async (list: Uint8Array): Promise<Uint8Array> =>
    (await initializer(tensorBytes('w', dtypeNumber('int64'), [2], field(7, list)))).load();
  await expect(load(Uint8Array.of(1))).rejects.toThrow('has at most 1 numbers; int64 [2] needs 2');
  await expect(load(Uint8Array.of(1, 2, 3))).rejects.toThrow('has more numbers than int64 [2] needs');
  await expect(load(Uint8Array.of(1, 0x80))).rejects.toThrow('has a malformed list of numbers');
});

test('an element of another wire type is refused', async () => {
  await expect(initializer(tensorBytes('w', float, [1], int(4, 1)))).rejects.toThrow(
    'field 4 has wire type 0; ONNX writes it as 5',
  );
});
