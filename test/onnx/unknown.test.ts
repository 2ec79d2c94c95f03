import { describe, expect, test } from '@jest/globals';
import { bytesSink } from '../../src/bytes/sink.ts';
import type { Model } from '../../src/ir/model.ts';
import type { Node } from '../../src/ir/node.ts';
import { derived, type Tensor } from '../../src/ir/tensor.ts';
import { readModel, writeModel } from '../../src/node/model.ts';
import { expectSame } from '../support/oracle.ts';
import { concat, field, int, tensorBytes, unknownFields } from '../support/wire.ts';

const u = unknownFields;
const value = (name: string, salt: number): Uint8Array =>
  concat(
    field(1, name),
    field(2, field(1, int(1, 1), field(2, field(1, int(1, 2), u(salt)), u(salt + 1)), u(salt + 2)), u(salt + 3)),
    u(salt + 4),
  );
const attribute = (name: string, salt: number): Uint8Array =>
  concat(field(1, name), int(3, 7), int(20, 2), field(13, 'doc'), field(21, ''), u(salt));
const body = concat(field(1, field(1, 'w'), field(2, 'r'), field(4, 'Neg'), u(40)), field(12, value('r', 41)), u(50));
const branch = (name: string, salt: number): Uint8Array =>
  concat(field(1, name), field(6, body), int(20, 5), field(13, 'doc'), u(salt));

/** A model with unknown fields in every message. */
const file = concat(
  u(1),
  int(1, 10),
  field(8, field(1, ''), int(2, 21), u(2)),
  field(
    7,
    u(3),
    field(1, field(1, 'x'), u(4), field(1, 'w'), field(2, 'y'), field(4, 'Foo'), field(5, attribute('i', 5)), u(6)),
    field(1, field(1, 'c'), field(2, 'z'), field(4, 'If'), field(5, branch('then_branch', 7)), u(8)),
    field(2, 'graph'),
    field(5, tensorBytes('w', 1, [1], field(9, new Uint8Array(4)), field(12, 'doc'), u(9))),
    field(11, value('x', 10)),
    field(12, value('y', 20)),
    field(13, value('w', 25)),
    u(31),
  ),
  field(
    25,
    field(1, 'f'),
    field(4, 'a'),
    field(5, 'b'),
    field(7, field(1, 'a'), field(2, 'b'), field(4, 'Abs'), u(32)),
    u(33),
  ),
  u(34),
);

async function written(model: Model): Promise<Uint8Array> {
  const sink = bytesSink();
  await writeModel(model, sink);
  await expectSame(sink.bytes(), model);
  return sink.bytes();
}

const includes = (bytes: Uint8Array, part: Uint8Array): boolean => Buffer.from(bytes).includes(Buffer.from(part));

/** The markers of the unknown fields in a file. */
function salts(bytes: Uint8Array): number[] {
  const found: number[] = [];
  for (let salt = 1; salt <= 60; salt++) if (includes(bytes, u(salt))) found.push(salt);
  return found;
}

const all = salts(file);

describe('unknown fields', () => {
  test('are in the test file', () => {
    expect(all.length).toBe(35);
  });

  test('are kept if nothing changes', async () => {
    expect(Buffer.compare(await written(await readModel(file)), file)).toBe(0);
  });

  test('are kept if every leaf is re-encoded', async () => {
    const model = await readModel(file);
    for (const graph of model.graphs()) {
      for (const node of graph.nodes) graph.replaceNode(node, { ...node, name: 'renamed' });
      for (const one of [...graph.initializers.values()]) {
        graph.setInitializer(derived(one.name, one.dtype, one.dims, async () => new Uint8Array(4).fill(9), one.extra));
      }
    }
    model.setOpset(22);
    model.setIrVersion(11);
    const bytes = await written(model);
    expect(salts(bytes)).toEqual(all);
    expect(includes(bytes, concat(field(12, 'doc'), u(9)))).toBe(true);
    const again = await readModel(bytes);
    expect([again.irVersion, again.opset]).toEqual([11, 22]);
    expect([...(await (again.graph.initializers.get('w') as Tensor).load())]).toEqual([9, 9, 9, 9]);
  });

  test('are kept on an attribute whose body changes', async () => {
    const model = await readModel(file);
    const [inner] = [...model.graph.bodies];
    const node = inner?.nodes[0] as Node;
    inner?.replaceNode(node, { ...node, opType: 'Abs' });
    const bytes = await written(model);
    expect(salts(bytes)).toEqual(all);
    expect(includes(bytes, concat(field(13, 'doc'), u(7)))).toBe(true);
  });

  test('are kept if a graph gets its first initializer', async () => {
    const model = await readModel(file);
    model.graph.removeInitializer('w');
    model.graph.setInitializer(derived('v', 'int8', [2], async () => Int8Array.of(1, 2)));
    expect(salts(await written(model))).toEqual(all.filter((salt) => salt !== 9));
  });
});

test('an attribute with a type but no value has the default that proto3 omits', async () => {
  const absent = (name: string, type: number): Uint8Array => field(5, field(1, name), int(20, type));
  const model = await readModel(
    concat(
      int(1, 10),
      field(7, field(1, field(4, 'X'), absent('i', 2), absent('f', 1), absent('s', 3), absent('l', 7))),
    ),
  );
  expect(model.graph.nodes[0]?.attributes).toEqual([
    { name: 'i', type: 'int', value: 0n },
    { name: 'f', type: 'float', value: 0 },
    { name: 's', type: 'string', value: '' },
    { name: 'l', type: 'ints', value: [] },
  ]);
});

test('ir_version keeps its unusual encoding until it changes', async () => {
  const padded = concat(Uint8Array.of(8, 0x8a, 0x80, 0), field(8, int(2, 21)), field(7, field(2, 'g')));
  const model = await readModel(padded);
  model.graph.setInitializer(derived('v', 'int8', [1], async () => Int8Array.of(1)));
  expect(Buffer.from(await written(model)).subarray(0, 4)).toEqual(Buffer.from([8, 0x8a, 0x80, 0]));
});
