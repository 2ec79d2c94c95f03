import type { ValueInfo } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { Scopes } from '../runtime/scope.ts';
import { indexBound } from './indices.ts';

/** Which values are valid for an input, as far as its graph or its name shows. */
export type Fill =
  /** Indices into a table: whole numbers from 0 on, below `bound`. */
  | { readonly kind: 'below'; readonly bound: number }
  /** The same number everywhere. */
  | { readonly kind: 'constant'; readonly value: number }
  /** The length of another input. */
  | { readonly kind: 'length' };

/** An input that must be fed. */
export interface ModelInput extends ValueInfo {
  readonly fill?: Fill;
}

/**
 * The inputs that must be fed, in the model's order. Integer inputs that index the rows of a table are found by
 * following them through the graph; masks, flags and lengths are recognized by name.
 */
export async function modelInputs(model: Model): Promise<readonly ModelInput[]> {
  const scopes = new Scopes(model);
  const inputs: ModelInput[] = [];
  for (const input of model.graph.fedInputs) {
    const fill = fillByName(input) ?? (isWhole(input) ? await fillByGraph(scopes, input) : undefined);
    inputs.push(fill === undefined ? input : { ...input, fill });
  }
  return inputs;
}

/** Integer types, without bool. */
function isWhole({ dtype }: ValueInfo): boolean {
  return dtype !== undefined && /^u?int\d/.test(dtype);
}

async function fillByGraph(scopes: Scopes, { name }: ValueInfo): Promise<Fill | undefined> {
  const bound = await indexBound(scopes, name);
  return bound === undefined ? undefined : { kind: 'below', bound };
}

/** `attention_mask`, `mask`, `encoder_attention_mask.1`. */
const MASK = /masks?([._:]?\d+)?$/i;
/** Masks that are true for excluded places: `key_padding_mask` of torch.nn.MultiheadAttention. */
const LEFT_OUT = /padding_?masks?([._:]?\d+)?$/i;
/** A float mask may be an image, so only attention masks are filled with ones. */
const ATTENTION = /att(entio)?n_?masks?([._:]?\d+)?$/i;
/** `use_cache_branch` of a decoder with and without a cache in one file; set, because the cache is fed. */
const USE_CACHE = /use_(past|cache)(_branch)?$/i;
/** `input_lengths`, `audio_len`. */
const LENGTH = /len(gth)?s?$/i;

function fillByName(input: ValueInfo): Fill | undefined {
  const { name, dtype, dims } = input;
  const flag = dtype === 'bool' || isWhole(input);
  if (flag && USE_CACHE.test(name)) return { kind: 'constant', value: 1 };
  if (dtype === 'bool' && LEFT_OUT.test(name)) return { kind: 'constant', value: 0 };
  if ((flag ? MASK : ATTENTION).test(name)) return { kind: 'constant', value: 1 };
  if (isWhole(input) && LENGTH.test(name) && dims !== undefined && dims.length <= 1) return { kind: 'length' };
  return undefined;
}
