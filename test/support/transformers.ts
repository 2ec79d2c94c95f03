/** Small language models as exporters write them for transformers.js, with random weights. */
import type { AttributeSpec, GraphSpec, ModelSpec, NodeSpec, TensorSpec, ValueSpec } from './build.ts';
import { f32, float, i64 } from './build.ts';
import { randomFloats } from './random.ts';

export const VOCABULARY = 160;
export const HIDDEN = 64;
export const HEADS = 2;
const WIDTH: number = HIDDEN / HEADS;

/** Collects nodes; each method returns the name of the output. */
export class Net {
  readonly nodes: NodeSpec[] = [];
  readonly initializers: Record<string, TensorSpec> = {};
  #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  op(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeSpec>> = {},
    out?: string,
  ): string {
    const name = out ?? `${op}_${this.nodes.length}`;
    this.nodes.push({ op, in: inputs, out: [name], name: `/${name}`, attributes });
    return name;
  }

  ints(dims: readonly number[], ...values: readonly number[]): string {
    const name = `ints_${dims.length}_${values.join('_')}`.replaceAll('-', 'm');
    this.initializers[name] = i64(dims, values);
    return name;
  }

  scalar(value: number): string {
    const name = `scalar_${String(value).replaceAll(/\W/g, '_')}`;
    this.initializers[name] = f32([], [value]);
    return name;
  }

  weight(name: string, dims: readonly number[], scale: number = 1 / Math.sqrt(dims[0] ?? 1)): string {
    this.initializers[name] = f32(dims, randomFloats(dims, this.#seed++, -1.7 * scale, 1.7 * scale));
    return name;
  }

  linear(x: string, name: string, inputs: number, outputs: number): string {
    const product = this.op('MatMul', [x, this.weight(`${name}.weight`, [inputs, outputs])]);
    return this.op('Add', [product, this.weight(`${name}.bias`, [outputs], 0.1)]);
  }

  norm(x: string, name: string): string {
    this.initializers[`${name}.weight`] = f32([HIDDEN], new Float32Array(HIDDEN).fill(1));
    this.initializers[`${name}.bias`] = f32([HIDDEN], new Float32Array(HIDDEN));
    const inputs = [x, `${name}.weight`, `${name}.bias`];
    return this.op('LayerNormalization', inputs, { axis: -1, epsilon: float(1e-5) });
  }

  /** `[batch, length, hidden]` as `[batch, heads, length, width]`. */
  heads(x: string): string {
    const split = this.op('Reshape', [x, this.ints([4], 0, -1, HEADS, WIDTH)]);
    return this.op('Transpose', [split], { perm: [0, 2, 1, 3] });
  }

  /** @param bias - added to the scores */
  attend(q: string, k: string, v: string, bias: string | undefined): string {
    const turned = this.op('Transpose', [k], { perm: [0, 1, 3, 2] });
    const scores = this.op('Mul', [this.op('MatMul', [q, turned]), this.scalar(1 / Math.sqrt(WIDTH))]);
    const weights = this.op('Softmax', [bias === undefined ? scores : this.op('Add', [scores, bias])], { axis: -1 });
    const merged = this.op('Transpose', [this.op('MatMul', [weights, v])], { perm: [0, 2, 1, 3] });
    return this.op('Reshape', [merged, this.ints([3], 0, -1, HIDDEN)]);
  }

  feedForward(x: string, name: string): string {
    const wide = this.linear(x, `${name}.up`, HIDDEN, 4 * HIDDEN);
    const erf = this.op('Erf', [this.op('Div', [wide, this.scalar(Math.SQRT2)])]);
    const gelu = this.op('Mul', [this.op('Mul', [wide, this.op('Add', [erf, this.scalar(1)])]), this.scalar(0.5)]);
    return this.linear(gelu, `${name}.down`, 4 * HIDDEN, HIDDEN);
  }

  /** 0 where a flag is 1, and a large negative number where it is 0. */
  masked(flags: string): string {
    const floats = this.op('Cast', [flags], { to: 1 });
    return this.op('Mul', [this.op('Sub', [this.scalar(1), floats]), this.scalar(-1e4)]);
  }

  /** Selects one of two values by a flag. */
  either(flag: string, yes: string, no: string, out?: string): string {
    const body = (value: string, name: string): GraphSpec => ({
      nodes: [{ op: 'Identity', in: [value], out: [name], name: `/${name}` }],
      initializers: {},
      inputs: {},
      outputs: { [name]: f32(['batch_size', HEADS, 'length', WIDTH]) },
    });
    const name = `either_${this.nodes.length}`;
    const branches = { then_branch: body(yes, `${name}_yes`), else_branch: body(no, `${name}_no`) };
    return this.op('If', [flag], branches, out);
  }

  /** An attention mask `[batch, length]` as an addend for scores. */
  maskOf(mask: string): string {
    return this.masked(this.op('Unsqueeze', [mask, this.ints([2], 1, 2)]));
  }
}

/** A model of one layer like those of BERT. */
export function encoderSpec(seed = 1): ModelSpec {
  const net = new Net(seed);
  const words = net.op('Gather', [net.weight('embeddings.word', [VOCABULARY, HIDDEN], 1), 'input_ids']);
  const types = net.op('Gather', [net.weight('embeddings.type', [2, HIDDEN], 1), 'token_type_ids']);
  const x = net.norm(net.op('Add', [words, types]), 'embeddings.norm');
  const [q = '', k = '', v = ''] = ['query', 'key', 'value'].map((one) =>
    net.heads(net.linear(x, `attention.${one}`, HIDDEN, HIDDEN)),
  );
  const found = net.linear(net.attend(q, k, v, net.maskOf('attention_mask')), 'attention.output', HIDDEN, HIDDEN);
  const y = net.norm(net.op('Add', [x, found]), 'attention.norm');
  const last = net.norm(net.op('Add', [y, net.feedForward(y, 'ffn')]), 'ffn.norm');
  net.op('Identity', [last], {}, 'last_hidden_state');
  const ids = i64(['batch_size', 'sequence_length']);
  return {
    opset: 17,
    inputs: { input_ids: ids, attention_mask: ids, token_type_ids: ids },
    outputs: { last_hidden_state: f32(['batch_size', 'sequence_length', HIDDEN]) },
    nodes: net.nodes,
    initializers: net.initializers,
  };
}

/** The cache of earlier steps: `past_key_values` as inputs, `present` as outputs. */
export function cacheOf(prefix: string, length: string, part = ''): Record<string, ValueSpec> {
  const of = (kind: string) => [`${prefix}.0${part}.${kind}`, f32(['batch_size', HEADS, length, WIDTH])] as const;
  return Object.fromEntries([of('key'), of('value')]);
}

/** A model of one layer like those of GPT-2, with past keys and values; its head is the embedding table. */
export function decoderSpec(seed = 2): ModelSpec {
  const net = new Net(seed);
  net.weight('wte', [VOCABULARY, HIDDEN], 1);
  const places = net.op('Gather', [net.weight('wpe', [64, HIDDEN], 1), 'position_ids']);
  const x = net.op('Add', [net.op('Gather', ['wte', 'input_ids']), places]);
  const normed = net.norm(x, 'ln_1');
  const q = net.heads(net.linear(normed, 'attn.query', HIDDEN, HIDDEN));
  const [k = '', v = ''] = ['key', 'value'].map((kind) => {
    const now = net.heads(net.linear(normed, `attn.${kind}`, HIDDEN, HIDDEN));
    return net.op('Concat', [`past_key_values.0.${kind}`, now], { axis: 2 }, `present.0.${kind}`);
  });
  // A query attends to keys up to its own position.
  const total = net.op('Gather', [net.op('Shape', [k]), net.ints([], 2)]);
  const past = net.op('Sub', [total, net.op('Gather', [net.op('Shape', [q]), net.ints([], 2)])]);
  const keys = net.op('Range', [net.ints([], 0), total, net.ints([], 1)]);
  const queries = net.op('Unsqueeze', [net.op('Range', [past, total, net.ints([], 1)]), net.ints([1], 1)]);
  const causal = net.masked(net.op('LessOrEqual', [keys, queries]));
  const bias = net.op('Add', [net.maskOf('attention_mask'), causal]);
  const y = net.op('Add', [x, net.linear(net.attend(q, k, v, bias), 'attn.output', HIDDEN, HIDDEN)]);
  const last = net.norm(net.op('Add', [y, net.feedForward(net.norm(y, 'ln_2'), 'mlp')]), 'ln_f');
  net.op('MatMul', [last, net.op('Transpose', ['wte'], { perm: [1, 0] })], {}, 'logits');
  const ids = i64(['batch_size', 'sequence_length']);
  return {
    opset: 17,
    inputs: {
      input_ids: ids,
      attention_mask: i64(['batch_size', 'total_sequence_length']),
      position_ids: ids,
      ...cacheOf('past_key_values', 'past_sequence_length'),
    },
    outputs: {
      logits: f32(['batch_size', 'sequence_length', VOCABULARY]),
      ...cacheOf('present', 'total_sequence_length'),
    },
    nodes: net.nodes,
    initializers: net.initializers,
  };
}

/** The config.json of each. */
export const CONFIGS: { readonly [kind in 'encoder' | 'decoder']: Readonly<Record<string, unknown>> } = {
  encoder: { model_type: 'bert', architectures: ['BertModel'], hidden_size: HIDDEN, vocab_size: VOCABULARY },
  decoder: {
    ...{ model_type: 'gpt2', architectures: ['GPT2LMHeadModel'], vocab_size: VOCABULARY },
    ...{ n_head: HEADS, n_layer: 1, n_embd: HIDDEN, bos_token_id: 0, eos_token_id: 1 },
  },
};
