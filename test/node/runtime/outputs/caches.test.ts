import { describe, expect, test } from '@jest/globals';
import { modelInputs } from '../../../../src/node/data/inputs.ts';
import { f32, type GraphSpec, i64, type NodeSpec, value } from '../../../support/build.ts';
import { gemm, kinds, matmul, one, spec, tokens, weight, y } from '../../../support/heads.ts';
import { modelOf } from '../../../support/model.ts';

describe('states for the next step', () => {
  const past = { inputs: { x: f32(['batch', 1, 8]), past_kv: f32(['batch', 'past', 8]) } } as const;
  const appended: NodeSpec[] = [
    matmul('x', 'k', 'w8'),
    { op: 'Concat', in: ['past_kv', 'k'], out: ['now'], attributes: { axis: 1 } },
    one('ReduceMean', 'now', 'm', { axes: [1] }),
    matmul('m', 'y'),
  ];

  test('by name, and what is appended to one that was fed', async () => {
    const outputs = { now: f32(), y: f32() };
    expect(await kinds(spec(appended, outputs, past))).toEqual({ now: 'cache', y: { axis: -1, length: 10 } });
    const first = [matmul('x', 'present.0.key', 'w8'), matmul('x', 'y')];
    const named = spec(first, { 'present.0.key': f32(), y: f32() }, tokens);
    expect(await kinds(named)).toMatchObject({ 'present.0.key': 'cache' });
  });

  test('the state of a recurrent layer that is fed back', async () => {
    const model = spec(
      [
        { op: 'Transpose', in: ['x'], out: ['t'], attributes: { perm: [1, 0, 2] } },
        { op: 'GRU', in: ['t', 'gw', 'gr', '', '', 'h0'], out: ['', 'yh'], attributes: { hidden_size: 4 } },
        one('Identity', 'yh', 'hn'),
        { op: 'Gather', in: ['yh', 'zero'], out: ['g'] },
        { op: 'MatMul', in: ['g', 'o'], out: ['y'] },
      ],
      { hn: f32(), y: f32() },
      {
        inputs: { x: f32(['batch', 'length', 8]), h0: f32([1, 'batch', 4]) },
        initializers: { gw: weight(1, 12, 8), gr: weight(1, 12, 4), o: weight(4, 5) },
      },
    );
    expect(await kinds(model)).toEqual({ hn: 'cache', y: { axis: -1, length: 5 } });
  });

  test('a share is a result, whatever it is called', async () => {
    const model = spec([gemm('x', 'h'), one('Softmax', 'h', 'present'), gemm('x', 'y')], { present: f32(), y: f32() });
    expect((await kinds(model))['present']).toEqual({ axis: -1, length: 10 });
  });

  test('a state by the name of the input it is fed back to, and one that begins with zeros in another branch', async () => {
    const inputs = { x: f32(['batch', 8]), h0: f32([1, 'batch', 4]), first: value('bool', []) };
    const branch = (out: string, state: string): GraphSpec => ({
      outputs: { [out]: f32() },
      nodes: [
        { op: 'Unsqueeze', in: ['x', 'zero'], out: [`${out}x`] },
        {
          ...{ op: 'GRU', in: [`${out}x`, 'gw', 'gr', '', '', state], out: ['', `${out}y`] },
          attributes: { hidden_size: 4 },
        },
        one('Identity', `${out}y`, out),
      ],
    });
    const nodes: NodeSpec[] = [
      {
        op: 'If',
        in: ['first'],
        out: ['s'],
        attributes: { then_branch: branch('a', 'none'), else_branch: branch('b', 'h0') },
      },
      one('Tanh', 'x', 'hn'),
      gemm('x', 'y'),
    ];
    const initializers = { gw: weight(1, 12, 8), gr: weight(1, 12, 4), none: weight(1, 1, 4) };
    expect(await kinds(spec(nodes, { s: f32(), hn: f32(), y: f32() }, { inputs, initializers }))).toEqual({
      ...{ s: 'cache', hn: 'cache' },
      y: { axis: -1, length: 10 },
    });
  });

  test('where there is nothing else, they are the results', async () => {
    const model = spec([matmul('x', 'present.0.key', 'w8'), matmul('x', 'present.0.value', 'w8')], {
      'present.0.key': f32(),
      'present.0.value': f32(),
    });
    expect(Object.values(await kinds(model))).not.toContain('cache');
  });
});

describe('graphs that would take for ever to follow', () => {
  test('a function that calls itself', async () => {
    const model = spec([{ op: 'Loop', domain: 'my', in: ['x'], out: ['y'] }], y('batch', 8), {
      domains: { my: 1 },
      functions: [
        {
          ...{ name: 'Loop', domain: 'my', opset: 17, inputs: ['a'], outputs: ['r'] },
          nodes: [
            { op: 'Loop', domain: 'my', in: ['a'], out: ['b'] },
            { op: 'Loop', domain: 'my', in: ['b'], out: ['c'] },
            { op: 'Add', in: ['b', 'c'], out: ['r'] },
          ],
          domains: { my: 1 },
        },
      ],
    });
    expect(await kinds(model)).toEqual({ y: undefined });
    const inputs = await modelInputs(await modelOf({ ...model, inputs: { x: i64(['batch', 8]) } }));
    expect(inputs.map((each) => each.fill)).toEqual([undefined]);
  });

  test.each(['Add', 'Concat', 'Where'])('%s of the same value twice, a hundred times', async (op) => {
    const nodes = Array.from({ length: 100 }, (_, index): NodeSpec => {
      const from = index === 0 ? 'past_state' : `s${index - 1}`;
      const to = index === 99 ? 'y' : `s${index}`;
      const given = op === 'Where' ? ['c0', from, from] : [from, from];
      return { op, in: given, out: [to], ...(op === 'Concat' ? { attributes: { axis: 1 } } : {}) };
    });
    const inputs = { past_state: f32(['batch', 8]), c0: value('bool', []) };
    expect(Object.keys(await kinds(spec(nodes, y('batch', 8), { inputs })))).toEqual(['y']);
    const whole = { past_state: i64(['batch', 8]), c0: value('bool', []) };
    await modelInputs(await modelOf(spec(nodes, y('batch', 8), { inputs: whole })));
    // The same of weights alone.
    const fixed = nodes.map((each) => ({ ...each, in: each.in.map((name) => (name === 'past_state' ? 'w' : name)) }));
    const last = { op: 'MatMul', in: ['x', 's98'], out: ['y'] };
    expect(Object.keys(await kinds(spec([...fixed.slice(0, 99), last], y('batch', 10))))).toEqual(['y']);
  });
});
