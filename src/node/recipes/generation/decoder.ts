import { CompressError } from '../../../errors.ts';
import { byteLengthOf, type DType, elementCount } from '../../../ir/dtype.ts';
import type { ValueInfo } from '../../../ir/graph.ts';
import { elementsFrom } from '../../data/convert.ts';
import { MAX_INPUT_BYTES } from '../../data/random.ts';
import type { FeedTensor } from '../../data/types.ts';
import { readFacts } from '../../runtime/facts.ts';
import { openSession, type Session } from '../../runtime/session.ts';
import { isPast } from './family.ts';

/** The output of an encoder, and which positions count. */
export interface Encoded {
  readonly hidden: FeedTensor;
  readonly mask?: FeedTensor;
}

/** The inputs of a decoder step. */
export interface Step {
  /** New tokens, and the number of earlier ones. */
  readonly tokens: readonly number[];
  readonly seen: number;
  readonly encoded: Encoded | undefined;
  /** State of earlier steps, by {@link keptName}; empty at the first. */
  readonly kept: ReadonlyMap<string, FeedTensor>;
}

/** A loaded decoder model. */
export interface DecoderModel {
  readonly path: string;
  /** Whether it takes the state of earlier steps. */
  readonly hasPast: boolean;
  /** @throws CompressError `unsupported` for an input with no known source */
  feeds(step: Step): Record<string, FeedTensor>;
  run(feeds: Record<string, FeedTensor>): Promise<{ logits: FeedTensor; kept: Map<string, FeedTensor> }>;
  close(): Promise<void>;
}

/**
 * Loads a decoder model.
 * @throws CompressError `unsupported` if it has no output `logits`, `runtime`, `io`, `malformed`
 */
export async function openDecoder(path: string): Promise<DecoderModel> {
  const { inputs } = await readFacts(path);
  const session = await openSession(path);
  if (!session.outputNames.includes('logits')) {
    await session.release();
    throw new CompressError('unsupported', path, "has no output 'logits', from which the next token is chosen");
  }
  return {
    path,
    hasPast: inputs.some(({ name }) => isPast(name)),
    feeds: (step) => {
      // Without a prototype, because an input may be named __proto__.
      const feeds: Record<string, FeedTensor> = Object.create(null);
      for (const input of inputs) feeds[input.name] = feedOf(input, step, inputs, path);
      return feeds;
    },
    run: (feeds) => runStep(session, feeds),
    close: () => session.release(),
  };
}

async function runStep(
  session: Session,
  feeds: Record<string, FeedTensor>,
): Promise<{ logits: FeedTensor; kept: Map<string, FeedTensor> }> {
  const { logits, ...states } = await session.run(feeds);
  if (logits === undefined) throw new CompressError('internal', session.label, 'ONNX Runtime returned no logits');
  const kept = new Map<string, FeedTensor>();
  for (const [name, value] of Object.entries(states)) if (/^present/.test(name)) kept.set(keptName(name), value);
  return { logits, kept };
}

/** The common name of an output (`present.0.key`) and the next step's input (`past_key_values.0.key`). */
export function keptName(name: string): string {
  return name.replace(/^(past|present)(_key_values)?[._]/, '');
}

/** Whether a state is computed from the encoder's output, and thus the same at each step. */
export function isOfEncoder(kept: string): boolean {
  return /(^|[._])(encoder|cross)([._]|$)/.test(kept);
}

function feedOf(input: ValueInfo, step: Step, inputs: readonly ValueInfo[], path: string): FeedTensor {
  const { name, dtype = 'int64' } = input;
  const { tokens, seen, encoded } = step;
  const ones = (length: number): FeedTensor => numbers(dtype, [1, length], () => 1);
  const total = seen + tokens.length;
  if (isPast(name)) return step.kept.get(keptName(name)) ?? emptyState(input, seen, path);
  if (/^(decoder_)?input_ids$/.test(name)) return numbers(dtype, [1, tokens.length], (at) => tokens[at] ?? 0);
  if (name === 'token_type_ids') return numbers(dtype, [1, tokens.length], () => 0);
  if (name === 'position_ids') return numbers(dtype, [1, tokens.length], (at) => seen + at);
  if (name === 'cache_position') return numbers(dtype, [tokens.length], (at) => seen + at);
  if (/^use_(past|cache)(_branch)?$/.test(name)) return numbers(dtype, [1], () => (seen > 0 ? 1 : 0));
  if (name === 'decoder_attention_mask') return ones(total);
  if (encoded !== undefined) {
    if (/^encoder_(hidden_states|outputs?)$/.test(name)) return encoded.hidden;
    // A plain `attention_mask` is the encoder's if the decoder has its own mask.
    const own = name === 'attention_mask' && !inputs.some((one) => one.name === 'decoder_attention_mask');
    if (/^(encoder_)?attention_mask$/.test(name) && !own) return encoded.mask ?? ones(encoded.hidden.dims[1] ?? 1);
  }
  if (name === 'attention_mask') return ones(total);
  throw new CompressError('unsupported', path, `needs '${name}', which no other model in the folder produces`);
}

/** The state before the first step: the token axis has length 0. The batch is 1; other axes have the stated length. */
function emptyState({ name, dtype = 'float32', dims }: ValueInfo, seen: number, path: string): FeedTensor {
  // Without their state, later steps would each start a new text.
  if (seen > 0) throw new CompressError('unsupported', path, `needs '${name}', which no earlier step produces`);
  if (dims === undefined) throw new CompressError('unsupported', path, `input '${name}' has no stated dims`);
  const lengths = dims.map((dim, axis) => (typeof dim === 'number' ? dim : axis === 0 ? 1 : 0));
  if (byteLengthOf(dtype, elementCount(lengths)) > MAX_INPUT_BYTES) {
    throw new CompressError('limit', path, `input '${name}' is ${dtype} [${lengths.join(', ')}], more than can be fed`);
  }
  return numbers(dtype, lengths, () => 0);
}

function numbers(dtype: DType, dims: readonly number[], each: (at: number) => number): FeedTensor {
  const data = elementsFrom(dtype, elementCount(dims), each);
  if (data === undefined) throw new CompressError('unsupported', dtype, 'is not a type for tokens or masks');
  return { dtype, dims, data };
}
