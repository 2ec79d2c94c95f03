/** Products of more than two dims, Einsum and recurrent layers. */
import { type AttributeSpec, f32 } from '../../support/build.ts';
import { type Case, matMul, model, weight } from './case.ts';

const cube = f32([3, 5, 8]);

const batched: readonly Case[] = [
  ...([{}, { weightsOnly: true }, { format: 'qoperator' }, { dtype: 'uint8' }, { perTensor: true }] as const).map(
    (options) => ({
      name: `MatMul with a weight of three dims ${JSON.stringify(options)}`,
      spec: model([matMul], { w: weight([3, 8, 4]) }, { x: cube }),
      options,
      changed: ['w'],
    }),
  ),
  {
    name: 'MatMul with a weight of four dims, and Add',
    spec: model(
      [
        { ...matMul, out: ['p'] },
        { op: 'Add', in: ['p', 'b'], out: ['y'] },
      ],
      { w: weight([1, 2, 8, 4]), b: weight([4], 2) },
      { x: f32([3, 1, 5, 8]) },
    ),
    changed: ['w'],
    hasNot: ['Add'],
  },
];

const einsum = (equation: string, dims: readonly number[], x: readonly number[], rest: Partial<Case> = {}): Case => ({
  name: `Einsum ${equation}`,
  spec: model(
    [{ op: 'Einsum', name: 'e', in: ['x', 'w'], out: ['y'], attributes: { equation } }],
    { w: weight(dims) },
    { x: f32(x) },
  ),
  changed: ['w'],
  hasNot: ['Einsum'],
  ...rest,
});

const einsums: readonly Case[] = [
  einsum('bsd,dk->bsk', [8, 4], [2, 3, 8]),
  einsum(' ... d , k d -> ... k ', [4, 8], [2, 3, 8]),
  einsum('bsd,dhk->bshk', [8, 3, 4], [2, 5, 8], { changed: ['w'] }),
  einsum('bshk,hkd->bsd', [3, 4, 6], [2, 5, 3, 4], { changed: ['w'] }),
  einsum('bshk,dhk->bsd', [6, 3, 4], [2, 5, 3, 4], { changed: ['w'] }),
  einsum('bsd,dhk->bshk', [8, 3, 4], [2, 5, 8], {
    name: 'Einsum, weights only',
    changed: ['w'],
    options: { weightsOnly: true },
  }),
  einsum('bsd,dk->bks', [32, 32], [2, 3, 32], {
    name: 'Einsum that transposes its output stays',
    has: ['Einsum', 'Cast', 'Mul'],
    hasNot: [],
  }),
  einsum('bsd,bdk->bsk', [2, 32, 32], [2, 3, 32], {
    name: 'Einsum with a batch in its weight stays',
    has: ['Einsum', 'Cast', 'Mul'],
    hasNot: [],
  }),
];

const GATES = { LSTM: 4, GRU: 3, RNN: 1 } as const;

function recurrent(op: keyof typeof GATES, direction: string, rest: Partial<Case>): Case {
  const [hidden, inputs, directions] = [6, 8, direction === 'bidirectional' ? 2 : 1];
  const rows = GATES[op] * hidden;
  const attributes: Record<string, AttributeSpec> = { hidden_size: hidden, direction };
  return {
    name: `${op} ${direction} ${JSON.stringify(rest.options ?? {})}`,
    spec: model(
      [{ op, name: 'rnn', in: ['x', 'W', 'R', 'B'], out: ['y', 'h'], attributes }],
      {
        W: weight([directions, rows, inputs]),
        R: weight([directions, rows, hidden], 2),
        B: weight([directions, 2 * rows], 3),
      },
      { x: f32([5, 2, inputs]), outputs: { y: f32(), h: f32() } },
    ),
    changed: ['W', 'R'],
    ...rest,
  };
}

const recurrents: readonly Case[] = [
  ...(['LSTM', 'GRU', 'RNN'] as const).flatMap((op) => [
    ...['forward', 'reverse', 'bidirectional'].map((direction) =>
      recurrent(op, direction, { options: { weightsOnly: true }, has: [op] }),
    ),
    recurrent(op, 'forward', { has: [op, 'Cast', 'Mul'] }),
  ]),
  recurrent('LSTM', 'forward', { options: { weightsOnly: true, perTensor: true }, has: ['LSTM'] }),
  recurrent('LSTM', 'bidirectional', { options: { weightsOnly: true, dtype: 'uint8' }, has: ['LSTM', 'Sub'] }),
  ...['forward', 'bidirectional'].map((direction) =>
    recurrent('LSTM', direction, { options: { allowContrib: true }, has: ['DynamicQuantizeLSTM'], hasNot: ['LSTM'] }),
  ),
  recurrent('LSTM', 'forward', {
    options: { allowContrib: true, dtype: 'uint8' },
    changed: [],
    skipped: ['W: unsupported_op', 'R: unsupported_op'],
  }),
  recurrent('GRU', 'forward', { options: { allowContrib: true }, has: ['GRU', 'Cast', 'Mul'] }),
];

export const PRODUCTS: readonly Case[] = [...batched, ...einsums, ...recurrents];
