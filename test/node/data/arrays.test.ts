import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { zipSync } from 'fflate';
import { CompressError, openArrays } from '../../../src/index.node.ts';
import { jsonKeys } from '../../../src/node/data/jsonKeys.ts';
import { fixture, folder } from '../../support/cli.ts';
import { npzOf } from '../../support/npz.ts';
import { safetensorsFile, safetensorsOf } from '../../support/safetensors.ts';

const cwd = folder();

function written(name: string, bytes: Uint8Array): string {
  const path = join(cwd, name);
  writeFileSync(path, bytes);
  return path;
}

/** The message of the error that opening these bytes, or loading their arrays, gives. */
async function failure(bytes: Uint8Array, name = 'file.safetensors'): Promise<string> {
  const path = written(name, bytes);
  const opened = openArrays(path).then((found) => Promise.all([...found.arrays.values()].map((one) => one.load())));
  const cause = await opened.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(cause instanceof CompressError)) throw cause ?? new Error('it was read');
  return [cause.message.replace(path, name), cause.hint].filter(Boolean).join('\n');
}

const ENTRY = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
const headed = (header: unknown, bytes = 8): Buffer => safetensorsFile(JSON.stringify(header), new Uint8Array(bytes));

describe('reads', () => {
  test('a .safetensors file of every type', async () => {
    const path = written(
      'all.safetensors',
      safetensorsOf({
        m: { dtype: 'BOOL', shape: [2, 2], data: Uint8Array.of(1, 0, 0, 1) },
        f: { dtype: 'F32', shape: [2], data: Float32Array.of(1.5, -2) },
        b: { dtype: 'BF16', shape: [], data: Uint16Array.of(0x3f80) },
        d: { dtype: 'F64', shape: [1], data: Float64Array.of(Math.PI) },
        none: { dtype: 'I64', shape: [0, 3], data: new BigInt64Array(0) },
      }),
    );
    const { label, arrays } = await openArrays(path);
    expect(label).toBe('all.safetensors');
    expect([...arrays].map(([name, { dtype, dims }]) => [name, dtype, dims])).toEqual([
      ['m', 'bool', [2, 2]],
      ['f', 'float32', [2]],
      ['b', 'bfloat16', []],
      ['d', 'float64', [1]],
      ['none', 'int64', [0, 3]],
    ]);
    expect([...((await arrays.get('m')?.load()) ?? [])]).toEqual([1, 0, 0, 1]);
    const f = Uint8Array.from((await arrays.get('f')?.load()) ?? []);
    expect([...new Float32Array(f.buffer)]).toEqual([1.5, -2]);
    expect(await arrays.get('none')?.load()).toHaveLength(0);
  });

  test('a .npz file, whatever its name ends with', async () => {
    const bytes = npzOf({ 'fc.weight': { dims: [2, 2], data: Float32Array.of(1, 2, 3, 4) } });
    const { arrays } = await openArrays(written('scores.bin', bytes));
    const data = Uint8Array.from((await arrays.get('fc.weight')?.load()) ?? []);
    expect([...new Float32Array(data.buffer)]).toEqual([1, 2, 3, 4]);
  });

  test('files written by the safetensors library and by NumPy', async () => {
    const safe = await openArrays(fixture('reference/prune-masks.safetensors'));
    expect([...safe.arrays].map(([name, { dtype, dims }]) => [name, dtype, dims])).toEqual([
      ['fc3.weight', 'bool', [10, 128]],
    ]);
    const npz = await openArrays(fixture('reference/prune-masks.npz'));
    const mask = npz.arrays.get('fc3.weight_mask');
    const floats = new Float32Array(Uint8Array.from((await mask?.load()) ?? []).buffer);
    expect([...((await safe.arrays.get('fc3.weight')?.load()) ?? [])]).toEqual([...floats]);
  });

  test('special names as plain names', async () => {
    const header = `{"__proto__":${JSON.stringify(ENTRY)},"constructor":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}}`;
    const { arrays } = await openArrays(written('names.safetensors', safetensorsFile(header, new Uint8Array(9))));
    expect([...arrays.keys()]).toEqual(['__proto__', 'constructor']);
  });

  test('past metadata, and spaces at the end of the header', async () => {
    const header = `${JSON.stringify({ __metadata__: { format: 'pt' }, w: ENTRY })}     `;
    const { arrays } = await openArrays(written('meta.safetensors', safetensorsFile(header, new Uint8Array(8))));
    expect([...arrays.keys()]).toEqual(['w']);
  });
});

describe('refuses', () => {
  const CASES: readonly (readonly [string, Uint8Array, string])[] = [
    ['another kind of file', Buffer.from('not a file of arrays'), 'is neither a .npz nor a .safetensors file'],
    ['an empty file', new Uint8Array(0), 'is neither a .npz nor a .safetensors file'],
    [
      'a header longer than the file',
      safetensorsFile('{', undefined, 2n ** 63n),
      'claims a header of 9223372036854775808 bytes; 1 follow',
    ],
    [
      'a header that is too long',
      safetensorsFile(`{${' '.repeat(2 ** 24)}}`),
      'has a header of 16777218 bytes; the limit is 16777216',
    ],
    ['a header that is no JSON', safetensorsFile('{"a":'), 'has a header that is not JSON: '],
    ['a header that is no UTF-8', safetensorsFile(Uint8Array.of(0x7b, 0xff, 0x7d)), 'has a header that is not JSON: '],
    [
      'a name twice',
      safetensorsFile(`{"a":${JSON.stringify(ENTRY)}, "\\u0061" : ${JSON.stringify(ENTRY)}}`, new Uint8Array(8)),
      "has two arrays named 'a'",
    ],
    [
      'a type there is not',
      headed({ a: { ...ENTRY, dtype: 'toString' } }),
      'array \'a\': has elements of type "toString"',
    ],
    ['no type', headed({ a: null }), "array 'a': has elements of type undefined"],
    ['a negative dim', headed({ a: { ...ENTRY, shape: [-2] } }), "array 'a': has no shape, or an invalid one"],
    [
      'too many dims',
      headed({ a: { ...ENTRY, shape: new Array(33).fill(1) } }),
      "array 'a': has no shape, or an invalid one",
    ],
    [
      'offsets that are text',
      headed({ a: { ...ENTRY, data_offsets: ['0', '8'] } }),
      "array 'a': does not have exactly two data_offsets",
    ],
    [
      'too few bytes for a shape',
      headed({ a: { ...ENTRY, shape: [3] } }),
      "array 'a': has 8 bytes; float32 [3] needs 12",
    ],
    [
      'a shape beyond all bounds',
      headed({ a: { ...ENTRY, shape: [2 ** 50, 2 ** 50] } }),
      "array 'a': has 8 bytes; float32 [1125899906842624, 1125899906842624] needs 5.0",
    ],
    [
      'offsets from end to start',
      headed({ a: { ...ENTRY, data_offsets: [8, 0] } }),
      "array 'a': has -8 bytes; float32 [2] needs 8",
    ],
    [
      'arrays that overlap',
      headed({ a: ENTRY, b: { ...ENTRY, data_offsets: [4, 12] } }, 12),
      "array 'b': begins at byte 4; the previous array ends at 8",
    ],
    [
      'a gap between arrays',
      headed({ a: ENTRY, b: { ...ENTRY, data_offsets: [12, 20] } }, 20),
      "array 'b': begins at byte 12; the previous array ends at 8",
    ],
    ['bytes that are of no array', headed({ a: ENTRY }, 9), 'has 9 bytes of data; its arrays need 8'],
    ['an array beyond the end', headed({ a: ENTRY }, 7), 'has 7 bytes of data; its arrays need 8'],
  ];
  test.each(CASES)('%s', async (_, bytes, message) => {
    expect(await failure(bytes)).toMatch(`file.safetensors${message.startsWith('array') ? ', ' : ': '}${message}`);
  });

  test('a checkpoint of torch.save, which is a zip too', async () => {
    const bytes = zipSync({ 'archive/data.pkl': Uint8Array.of(0x80, 2), 'archive/data/0': new Uint8Array(8) });
    expect(await failure(bytes, 'state.pt')).toBe(
      'state.pt: is a PyTorch pickle, which is not loaded because it can run code\n' +
        'Save the tensors by name: safetensors.torch.save_file(tensors, file) or numpy.savez(file, **arrays).',
    );
  });

  test('a .npz with a name twice, or cut off', async () => {
    const arrays = npzOf({ aa: { dims: [1], data: Float32Array.of(1) }, ab: { dims: [1], data: Float32Array.of(2) } });
    const twice = Buffer.from(Buffer.from(arrays).toString('latin1').replaceAll('ab.npy', 'aa.npy'), 'latin1');
    expect(await failure(twice, 'm.npz')).toBe("m.npz: has two arrays named 'aa'");
    expect(await failure(arrays.subarray(0, arrays.length - 30), 'm.npz')).toMatch(
      /^m\.npz: is not a \.npz file, or is truncated/,
    );
  });

  test('a file that is not there', async () => {
    await expect(openArrays(join(cwd, 'none.npz'))).rejects.toThrow('none.npz: no such file or folder');
  });

  test('damaged files with our own error, or reads them', async () => {
    const whole = safetensorsOf({ a: { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) } });
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), async (at, byte, length) => {
        const bytes = Uint8Array.from(whole);
        bytes[at] = byte;
        const path = written('damaged.safetensors', bytes.subarray(0, length));
        const cause = await openArrays(path).then(
          (found) => Promise.all([...found.arrays.values()].map((one) => one.load())),
          (error: unknown) => error,
        );
        expect(Array.isArray(cause) || cause instanceof CompressError).toBe(true);
      }),
    );
  });
});

test('reads the names of a JSON object as written', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), (value) => {
      const { names, twice } = jsonKeys(JSON.stringify(value, undefined, 1));
      expect([[...names].sort(), twice]).toEqual([Object.keys(value).sort(), undefined]);
    }),
  );
  expect(jsonKeys('{"a": {"b": 1, "b": 2}, "c": "a", "d": ["a"], "a" : 0}').twice).toBe('a');
});
