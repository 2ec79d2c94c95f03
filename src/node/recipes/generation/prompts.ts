import { join } from 'node:path';
import { CompressError } from '../../../errors.ts';
import type { DataFor } from '../../data/fitting.ts';
import type { DataSet, FeedTensor } from '../../data/types.ts';
import { readTextFile } from '../../files/textFile.ts';
import { numbersOf } from '../../runtime/compare.ts';
import { readFacts } from '../../runtime/facts.ts';
import { openSession } from '../../runtime/session.ts';
import type { Family } from './family.ts';
import { jsonOf, type Tokenizer } from './tokenizer.ts';

/** The start of one text. */
export interface Prompt {
  readonly label: string;
  /** Inputs of the encoder; empty if there is none. */
  readonly feeds: Readonly<Record<string, FeedTensor>>;
  /** Tokens that the decoder starts with. */
  readonly tokens: readonly number[];
}

/** Prompts, with a line that describes them. */
export interface Prompts {
  readonly description: string;
  prompts(): AsyncIterable<Prompt>;
}

/**
 * Prompts for a family from data for its first model: rows for the encoder, or `input_ids` for a decoder alone.
 * @param dataFor - opens the data, given the inputs of that model and a way to run it
 * @throws CompressError `data`, `options`, `runtime`
 */
export async function promptsOf(family: Family, dataFor: DataFor): Promise<Prompts> {
  const data = await (family.encoder === undefined ? idsFor(family, dataFor) : rowsFor(family.encoder, dataFor));
  const start = family.encoder === undefined ? [] : [await startOf(family.root)];
  return {
    description: data.description,
    async *prompts() {
      for await (const { label, feeds } of data.samples()) {
        const ids = start.length === 0 ? idsOf(feeds) : start;
        yield { label, feeds: family.encoder === undefined ? {} : feeds, tokens: ids };
      }
    },
  };
}

/**
 * Prompts for a family from lines of text.
 * @throws CompressError `unsupported` if its first model does not read text
 */
export async function promptsOfText(family: Family, lines: readonly string[], tokenizer: Tokenizer): Promise<Prompts> {
  const { encoder, root } = family;
  const names = encoder === undefined ? [] : (await readFacts(encoder)).inputs.map((one) => one.name);
  if (encoder !== undefined && !names.includes('input_ids')) {
    throw new CompressError('unsupported', encoder, 'does not read text: it has no input `input_ids`', {
      hint: 'Give its inputs as arrays: `data`.',
    });
  }
  const start = encoder === undefined ? undefined : [await startOf(root)];
  return {
    description: `${lines.length} prompts`,
    async *prompts() {
      for (const line of lines) {
        const ids = tokenizer.encode(line);
        const filled = (value: (at: number) => number): FeedTensor => ({
          ...{ dtype: 'int64', dims: [1, ids.length] },
          data: BigInt64Array.from(ids, (_, at) => BigInt(value(at))),
        });
        const feeds = Object.fromEntries(
          names.map((name) => {
            if (name === 'input_ids') return [name, filled((at) => ids[at] ?? 0)];
            return [name, filled(() => (name === 'attention_mask' ? 1 : 0))];
          }),
        );
        yield { label: line, feeds, tokens: start ?? ids };
      }
    },
  };
}

/** Maximum bytes of a prompt file. */
const MAX_PROMPTS: number = 1 << 20;

/**
 * Prompts of a family from a text file, one per line.
 * @param tokenizer - of {@link openTokenizer}
 * @throws CompressError `options` without a tokenizer, `data` if there is no line, `io`, `unsupported`
 */
export async function promptsOfFile(family: Family, path: string, tokenizer: Tokenizer | undefined): Promise<Prompts> {
  if (tokenizer === undefined) {
    const fact = `needs tokenizer.json in ${family.root}, and the package @huggingface/tokenizers`;
    throw new CompressError('options', 'prompts', fact, { hint: 'npm install @huggingface/tokenizers' });
  }
  const text = await readTextFile(path, MAX_PROMPTS);
  if (Buffer.byteLength(text) > MAX_PROMPTS)
    throw new CompressError('limit', path, `has more than ${MAX_PROMPTS} bytes`);
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (lines.length === 0) throw new CompressError('data', path, 'has no line with a prompt');
  return promptsOfText(family, lines, tokenizer);
}

async function rowsFor(encoder: string, dataFor: DataFor): Promise<DataSet> {
  const { inputs } = await readFacts(encoder);
  const session = await openSession(encoder);
  try {
    return await dataFor(inputs, (feeds) => session.run(feeds));
  } finally {
    await session.release();
  }
}

async function idsFor({ decoders }: Family, dataFor: DataFor): Promise<DataSet> {
  const path = decoders[0]?.first ?? '';
  const { inputs } = await readFacts(path);
  const ids = inputs.filter((one) => one.name === 'input_ids');
  if (ids.length === 0) throw new CompressError('unsupported', path, "has no input 'input_ids' for a prompt");
  // No trial is needed: random ids are within the table that they index.
  return dataFor(ids, async () => {});
}

function idsOf(feeds: Readonly<Record<string, FeedTensor>>): number[] {
  const ids = feeds['input_ids'];
  return ids === undefined ? [] : Array.from(numbersOf(ids));
}

/** The first token of a decoder, from generation_config.json or config.json; 0 if neither has it. */
async function startOf(root: string): Promise<number> {
  for (const key of ['decoder_start_token_id', 'bos_token_id']) {
    for (const file of ['generation_config.json', 'config.json']) {
      const found = (await jsonOf(join(root, file)))?.[key];
      if (typeof found === 'number' && Number.isSafeInteger(found) && found >= 0) return found;
    }
  }
  return 0;
}

/** Tokens that end a text, from generation_config.json or config.json. */
export async function endsOf(root: string): Promise<ReadonlySet<number>> {
  for (const file of ['generation_config.json', 'config.json']) {
    const found = (await jsonOf(join(root, file)))?.['eos_token_id'];
    const list = Array.isArray(found) ? found : [found];
    const ends = list.filter((one): one is number => typeof one === 'number');
    if (ends.length > 0) return new Set(ends);
  }
  return new Set();
}
