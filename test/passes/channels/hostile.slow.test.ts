import { expect, test } from '@jest/globals';
import { removeChannels } from '../../../src/index.node.ts';
import { attribute, type Node } from '../../../src/ir/node.ts';
import { constant } from '../../../src/ir/tensor.ts';
import { f32 } from '../../support/build.ts';
import { modelOf } from '../../support/model.ts';
import { randomNetwork } from '../../support/networks.ts';
import { seeded } from '../../support/random.ts';

const ODD = [-9, -2, -1, 0, 1, 2, 3, 5, 7, 1000, 2 ** 40];

test('attributes, shapes and constants that do not fit keep channels instead of causing an error', async () => {
  let damaged = 0;
  for (let seed = 1; seed <= 150; seed++) {
    const next = seeded(seed);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
    const { bytes } = randomNetwork(next, 4);
    const { graph, ...rest } = await modelOf(bytes).then((model) => ({ model, graph: model.graph }));
    for (let round = 0; round < 3; round++) {
      const node = pick(graph.nodes) as Node;
      const kind = pick(['attribute', 'constant', 'input', 'domain', 'axis'] as const);
      if (kind === 'attribute' && node.attributes.length > 0) {
        const one = pick(node.attributes);
        const made =
          one.type === 'ints'
            ? attribute.ints(one.name, pick([[], one.value.slice(1), one.value.map(() => BigInt(pick(ODD)))]))
            : attribute.int(one.name, pick(ODD));
        graph.replaceNode(node, {
          ...node,
          attributes: node.attributes.map((other) => (other === one ? made : other)),
        });
      } else if (kind === 'constant') {
        const tensor = pick([...graph.initializers.values()]);
        const dims = pick([[], [0], [1], [2, 2], [3, 1, 7], [0, 4, 3, 3]]);
        const length = dims.reduce((all, size) => all * size, 1);
        const data =
          tensor.dtype === 'int64' ? BigInt64Array.from({ length }, () => BigInt(pick(ODD))) : new Float32Array(length);
        graph.setInitializer(constant(tensor.name, tensor.dtype, dims, data));
      } else if (kind === 'input') {
        const names = graph.nodes.flatMap((one) => one.outputs).concat([...graph.initializers.keys()], '');
        graph.replaceNode(node, { ...node, inputs: node.inputs.map((name) => (next() < 0.5 ? pick(names) : name)) });
      } else if (kind === 'axis') {
        graph.replaceNode(node, {
          ...node,
          attributes: [...node.attributes.filter((one) => one.name !== 'axis'), attribute.int('axis', pick(ODD))],
        });
      } else if (kind === 'domain') graph.replaceNode(node, { ...node, domain: 'odd' });
      damaged++;
    }
    await removeChannels({ amount: 0.5, roundTo: 1 })
      .run(rest.model)
      .catch((cause: unknown) => {
        throw new Error(`seed ${seed}: ${String(cause)}`, { cause });
      });
  }
  expect(damaged).toBe(450);
});

test('values and shapes that are concatenated with themselves many times are handled in bounded time', async () => {
  const nodes = Array.from({ length: 40 }, (_, index) => [
    { op: 'Concat', in: [`h${index}`, `h${index}`], out: [`h${index + 1}`], attributes: { axis: 1 } },
    { op: 'Concat', in: [`s${index}`, `s${index}`], out: [`s${index + 1}`], attributes: { axis: 0 } },
  ]).flat();
  const model = await modelOf({
    opset: 17,
    inputs: { x: f32(['N', 4]) },
    outputs: { y: f32() },
    nodes: [
      { op: 'MatMul', in: ['x', 'a'], out: ['h0'] },
      { op: 'Shape', in: ['h0'], out: ['s0'] },
      ...nodes,
      { op: 'ReduceMax', in: ['h40'], out: ['y'] },
    ],
    initializers: { a: f32([4, 8], new Float32Array(32)) },
  });
  const report = await removeChannels({ amount: 0.5, roundTo: 1 }).run(model);
  expect(report.skips).toMatchObject([{ weight: 'a', reason: 'pinned_channels' }]);
});
