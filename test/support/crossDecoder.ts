/** A decoder that reads the output of an encoder, as exporters write it, with random weights. */
import type { ModelSpec, ValueSpec } from './build.ts';
import { f32, i64 } from './build.ts';
import { cacheOf, HIDDEN, Net, VOCABULARY } from './transformers.ts';

/** The file names of its forms. */
export type CrossForm = 'decoder_model' | 'decoder_with_past_model' | 'decoder_model_merged';

/**
 * A decoder of one layer as BART has them. It reads what {@link encoderSpec} gives; all forms have the same weights.
 * Like that of exporters, the merged one gives nothing for the keys and values of the encoder once they are fed.
 */
export function crossDecoderSpec(form: CrossForm, seed = 3): ModelSpec {
  const net = new Net(seed);
  const [hasPast, hasEncoder] = [form !== 'decoder_model', form !== 'decoder_with_past_model'];
  for (const name of ['shared', 'wpe']) net.weight(name, [VOCABULARY, HIDDEN], 1);
  const kept = (part: string, kind: string): string => `past_key_values.0.${part}.${kind}`;
  const lengthOf = (value: string, axis: number): string =>
    net.op('Gather', [net.op('Shape', [value]), net.ints([], axis)]);
  const past = hasPast ? lengthOf(kept('decoder', 'key'), 2) : net.ints([], 0);
  const total = net.op('Add', [past, lengthOf('input_ids', 1)]);
  const own = net.op('Range', [past, total, net.ints([], 1)]);
  const x = net.op('Add', [net.op('Gather', ['shared', 'input_ids']), net.op('Gather', ['wpe', own])]);
  const [q = '', k = '', v = ''] = ['query', 'key', 'value'].map((kind) => {
    const now = net.heads(net.linear(x, `self.${kind}`, HIDDEN, HIDDEN));
    if (kind === 'query') return now;
    const all = hasPast ? [kept('decoder', kind), now] : [now];
    return net.op('Concat', all, { axis: 2 }, `present.0.decoder.${kind}`);
  });
  const keys = net.op('Range', [net.ints([], 0), total, net.ints([], 1)]);
  const causal = net.masked(net.op('LessOrEqual', [keys, net.op('Unsqueeze', [own, net.ints([1], 1)])]));
  const found = net.linear(net.attend(q, k, v, causal), 'self.output', HIDDEN, HIDDEN);
  const y = net.norm(net.op('Add', [x, found]), 'ln_1');
  const asked = net.heads(net.linear(y, 'cross.query', HIDDEN, HIDDEN));
  const [crossK = '', crossV = ''] = ['key', 'value'].map((kind) => {
    const made = net.heads(net.linear('encoder_hidden_states', `cross.${kind}`, HIDDEN, HIDDEN));
    const name = `present.0.encoder.${kind}`;
    if (form === 'decoder_model') return net.op('Identity', [made], {}, name);
    // Every form has these weights, so that all are the same.
    if (!hasEncoder) return kept('encoder', kind);
    const nothing = net.op('Slice', [kept('encoder', kind), ...[0, 0, 2].map((at) => net.ints([1], at))]);
    net.either('use_cache_branch', nothing, made, name);
    return net.either('use_cache_branch', kept('encoder', kind), made);
  });
  const seen = net.attend(asked, crossK, crossV, net.maskOf('encoder_attention_mask'));
  const z = net.norm(net.op('Add', [y, net.linear(seen, 'cross.output', HIDDEN, HIDDEN)]), 'ln_2');
  const last = net.norm(net.op('Add', [z, net.feedForward(z, 'mlp')]), 'ln_f');
  net.op('MatMul', [last, net.weight('head', [HIDDEN, VOCABULARY])], {}, 'logits');
  const caches = (prefix: string, part: string): Record<string, ValueSpec> =>
    cacheOf(prefix, `${prefix}_${part}`, `.${part}`);
  return {
    opset: 17,
    inputs: {
      input_ids: i64(['batch_size', 'sequence_length']),
      encoder_attention_mask: i64(['batch_size', 'encoder_length']),
      encoder_hidden_states: f32(['batch_size', 'encoder_length', HIDDEN]),
      ...(hasPast ? { ...caches('past_key_values', 'decoder'), ...caches('past_key_values', 'encoder') } : {}),
      ...(form === 'decoder_model_merged' ? { use_cache_branch: { dtype: 'bool' as const, dims: [1] } } : {}),
    },
    outputs: {
      logits: f32(['batch_size', 'sequence_length', VOCABULARY]),
      ...caches('present', 'decoder'),
      ...(hasEncoder ? caches('present', 'encoder') : {}),
    },
    nodes: net.nodes,
    initializers: net.initializers,
  };
}
